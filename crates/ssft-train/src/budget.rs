//! How much of a step is in memory at a time.
//!
//! A step is cut into passes that fit a budget; the cuts change in which order sums are added up, nothing else.

use crate::matching::Assignment;
use ssft_data::encode::EncodedQuestion;
use ssft_model::DecoderConfig;
use std::ops::Range;

/// Most tokens of the passes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Of a pass that keeps what its backward pass needs.
    pub training_tokens: usize,
    /// Of a pass without gradient.
    pub cost_tokens: usize,
    /// That keys and values are kept for, between passes without gradient.
    pub cached_tokens: usize,
}

/// A trace of a question: (question, trace).
pub type Row = (usize, usize);

impl Budget {
    /// Tokens for which `bytes` of memory suffice, at least one of each kind. A pass without gradient gets no more memory
    /// than a training pass on all traces of `batch`, so that a step's memory does not grow with the number of pairs.
    ///
    /// Counted are f32 numbers a token. In training every layer keeps its input, two norms, queries, keys and values
    /// before and after turning, what attention gives, gate, up and their product, and both sums with the residual
    /// stream; on the way back, gradients of one layer and of the stream come on top. Without gradient one layer's
    /// worth is there at a time.
    pub fn new(bytes: u64, config: &DecoderConfig, batch: &[&EncodedQuestion]) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let layer = 5 * width + 3 * query + 3 * kv + 3 * inner;
        let cached = 2 * kv * config.num_hidden_layers;
        let share = |part: u64, numbers: usize| ((bytes / part) as usize / (4 * numbers)).max(1);
        let (training, cost) = ((config.num_hidden_layers + 2) * layer, 2 * layer);
        let trained: usize =
            batch.iter().map(|question| training_tokens(question, 0..question.traces.len())).sum();
        Self {
            training_tokens: share(2, training),
            cost_tokens: share(4, cost).min(trained * training / cost).max(1),
            cached_tokens: share(4, 2 * cached),
        }
    }

    /// No limit.
    pub fn unlimited() -> Self {
        Self { training_tokens: usize::MAX, cost_tokens: usize::MAX, cached_tokens: usize::MAX }
    }

    /// Cuts questions into runs whose caches fit, if all branches were known to their last token; a question that
    /// does not fit by itself is one alone.
    pub fn groups(
        &self,
        questions: &[&EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Vec<Range<usize>> {
        cut(&matrix_tokens(questions, leads, match_tokens), self.cached_tokens)
    }

    /// Cuts questions into runs whose whole matrices fit one pass; a question that does not fit by itself is one alone.
    pub fn matrices(
        &self,
        questions: &[&EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Vec<Range<usize>> {
        cut(&matrix_tokens(questions, leads, match_tokens), self.cost_tokens)
    }

    /// True if the whole matrices of some questions fit one pass.
    pub fn takes(&self, questions: &[&EncodedQuestion], leads: &[Vec<u32>], match_tokens: usize) -> bool {
        matrix_tokens(questions, leads, match_tokens).iter().sum::<usize>() <= self.cost_tokens
    }

    /// True if the caches of all of a question's branches fit.
    pub fn fits(&self, question: &EncodedQuestion, leads: &[Vec<u32>], match_tokens: usize) -> bool {
        question_tokens(question, leads, match_tokens) <= self.cached_tokens
    }

    /// Cuts matched traces into passes. Traces of a question stay together, and share its prompt, unless they alone are
    /// too much.
    pub fn training_passes(&self, questions: &[(&EncodedQuestion, &Assignment)]) -> Vec<Vec<Row>> {
        let mut passes: Vec<Vec<Row>> = Vec::new();
        let mut room = 0usize;
        for (index, &(question, assignment)) in questions.iter().enumerate() {
            let rows = |traces: Range<usize>| traces.map(move |trace| (index, trace));
            let whole = training_tokens(question, 0..assignment.forks.len());
            if whole > room || passes.is_empty() {
                passes.push(Vec::new());
                room = self.training_tokens;
            }
            if whole <= room {
                room -= whole;
                passes.last_mut().into_iter().for_each(|pass| pass.extend(rows(0..assignment.forks.len())));
                continue;
            }
            let sizes: Vec<usize> = (0..assignment.forks.len())
                .map(|trace| training_tokens(question, trace..trace + 1))
                .collect();
            passes.pop();
            passes.extend(cut(&sizes, self.training_tokens).into_iter().map(|traces| rows(traces).collect()));
            room = 0;
        }
        passes
    }

    /// True if all traces of some questions fit one training pass.
    pub fn trains_at_once(&self, questions: &[&EncodedQuestion]) -> bool {
        let tokens = questions.iter().map(|question| training_tokens(question, 0..question.traces.len()));
        tokens.sum::<usize>() <= self.training_tokens
    }
}

/// Tokens of a prompt and of some traces behind it.
fn training_tokens(question: &EncodedQuestion, traces: Range<usize>) -> usize {
    question.prompt.len() + question.traces[traces].iter().map(|trace| trace.tokens.len()).sum::<usize>()
}

/// Tokens of a prompt, all forks and all pairs.
fn question_tokens(question: &EncodedQuestion, leads: &[Vec<u32>], match_tokens: usize) -> usize {
    let branches: usize = question.traces.iter().map(|trace| trace.tokens.len().min(match_tokens)).sum();
    question.prompt.len() + leads.iter().map(|lead| lead.len() + branches).sum::<usize>()
}

/// [`question_tokens`] of each of some questions.
fn matrix_tokens(questions: &[&EncodedQuestion], leads: &[Vec<u32>], match_tokens: usize) -> Vec<usize> {
    questions.iter().map(|question| question_tokens(question, leads, match_tokens)).collect()
}

/// Cuts a list of sizes into runs of at most `most` in sum, or of one that is larger.
pub fn cut(sizes: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut sum = 0usize;
    for (index, &size) in sizes.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if sum.saturating_add(size) <= most => {
                run.end = index + 1;
                sum += size;
            }
            _ => {
                runs.push(index..index + 1);
                sum = size;
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssft_data::encode::EncodedTrace;

    fn question(prompt: usize, traces: &[usize]) -> EncodedQuestion {
        let trace = |&length: &usize| EncodedTrace { source: String::new(), tokens: vec![1; length] };
        let traces = traces.iter().map(trace).collect();
        EncodedQuestion { id: String::new(), prompt: vec![1; prompt], traces, answer: None }
    }

    #[test]
    fn cuts_by_hand() {
        assert_eq!(cut(&[3, 3, 3, 9, 1, 1], 6), [0..2, 2..3, 3..4, 4..6]);
        assert_eq!(cut(&[1, 2, 1], 3), [0..2, 2..3]);
        assert!(cut(&[], 4).is_empty());
    }

    #[test]
    fn traces_of_a_question_stay_together_where_they_can() {
        let questions =
            [question(2, &[3, 3]), question(2, &[4, 4]), question(2, &[9, 1, 7]), question(1, &[2, 2])];
        let assignments: Vec<Assignment> =
            questions.iter().map(|question| Assignment::all_to_first(question.traces.len())).collect();
        let both: Vec<_> = questions.iter().zip(&assignments).collect();
        let passes =
            |training_tokens| Budget { training_tokens, ..Budget::unlimited() }.training_passes(&both);
        assert_eq!(passes(usize::MAX).len(), 1);
        assert_eq!(
            passes(10),
            [
                vec![(0, 0), (0, 1)],
                vec![(1, 0), (1, 1)],
                vec![(2, 0)],
                vec![(2, 1)],
                vec![(2, 2)],
                vec![(3, 0), (3, 1)],
            ]
        );
        let mut all = passes(1).concat();
        all.sort_unstable();
        assert_eq!(all.len(), 9, "every trace once, however small the budget");
    }

    #[test]
    fn a_larger_model_has_room_for_fewer_tokens() {
        use ssft_model::config::Preset;
        let question = question(100, &[1000; 40]);
        let budget = |preset| Budget::new(1 << 30, &DecoderConfig::preset(preset, 300), &[&question]);
        let (tiny, small) = (budget(Preset::Tiny), budget(Preset::Small));
        assert!(
            tiny.training_tokens > 4 * small.training_tokens && small.training_tokens > 1000,
            "{small:?}"
        );
        assert_eq!(Budget::new(0, &DecoderConfig::preset(Preset::Tiny, 300), &[&question]).cost_tokens, 1);
    }

    #[test]
    fn a_pass_without_gradient_takes_no_more_than_training() {
        use ssft_model::config::Preset;
        let config = DecoderConfig::preset(Preset::Tiny, 300);
        let (one, other) = (question(10, &[40, 50]), question(20, &[80]));
        let budget = Budget::new(1 << 30, &config, &[&one, &other]);
        // Four layers and two more for the way back, against one in and one out.
        assert_eq!(budget.cost_tokens, (100 + 100) * 6 / 2);
    }
}
