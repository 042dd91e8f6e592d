//! The memory budget of a step: sizes of its passes, in tokens.
//!
//! A step is cut into passes that fit the budget. The cuts change the order in which f32 sums are added, nothing else.

use crate::matching::Assignment;
use ssft_data::encode::EncodedQuestion;
use ssft_model::DecoderConfig;
use std::ops::Range;

/// Largest numbers of tokens in the passes of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Tokens of a training pass, which keeps activations for its backward pass.
    pub training_tokens: usize,
    /// Tokens of a pass without gradient.
    pub cost_tokens: usize,
    /// Tokens whose keys and values are cached between passes without gradient.
    pub cached_tokens: usize,
}

/// A trace that is trained: (question, trace), both from 0.
pub type TrainedTrace = (usize, usize);

const F32_BYTES: usize = 4;
/// Training passes may take 1 / `TRAINING_PART` of the bytes, and so on.
const TRAINING_PART: u64 = 2;
const COST_PART: u64 = 4;
const CACHE_PART: u64 = 4;
/// Copies of the cached keys and values that are in memory at once: `Pairs::finish` appends to a clone.
const CACHE_ROOM: usize = 2;
/// Layers' worth of numbers that a backward pass needs besides the saved activations: gradients of one layer and of the
/// residual stream.
const BACKWARD_LAYERS: usize = 2;
/// Layers' worth of numbers of a pass without gradient: input and output of one layer.
const FORWARD_LAYERS: usize = 2;

impl Budget {
    /// Pass sizes for `bytes` of memory, at least one token each. A pass without gradient gets no more memory than one
    /// training pass on all traces of the largest micro-batch, so that the memory of a step does not grow with the number of
    /// pairs.
    ///
    /// Counted are f32 numbers per token. In training every layer keeps its input, two norms, queries, keys and values
    /// before and after rotation, the attention output, gate, up and their product, and both sums with the residual
    /// stream.
    pub fn new(bytes: u64, config: &DecoderConfig, batches: &[&[&EncodedQuestion]]) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        let query = config.num_attention_heads * config.head_dim;
        let kv = config.num_key_value_heads * config.head_dim;
        let layer = 5 * width + 3 * query + 3 * kv + 3 * inner;
        let cached = 2 * kv * config.num_hidden_layers;
        // In u64: a browser's usize has 32 bits.
        let share = |part: u64, numbers: usize| {
            let tokens = bytes / part / (F32_BYTES * numbers) as u64;
            usize::try_from(tokens).unwrap_or(usize::MAX).max(1)
        };
        let training = (config.num_hidden_layers + BACKWARD_LAYERS) * layer;
        let cost = FORWARD_LAYERS * layer;
        let largest = batches.iter().map(|batch| batch_tokens(batch)).max().unwrap_or(0);
        Self {
            training_tokens: share(TRAINING_PART, training),
            cost_tokens: share(COST_PART, cost).min(largest.saturating_mul(training) / cost).max(1),
            cached_tokens: share(CACHE_PART, CACHE_ROOM * cached),
        }
    }

    /// No limit.
    pub fn unlimited() -> Self {
        Self { training_tokens: usize::MAX, cost_tokens: usize::MAX, cached_tokens: usize::MAX }
    }

    /// Cuts questions into groups whose caches fit even if every branch is computed to its end; a question that does not fit
    /// by itself is a group of one.
    pub fn groups(
        &self,
        questions: &[&EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Vec<Range<usize>> {
        cut(&matrix_tokens(questions, leads, match_tokens), self.cached_tokens)
    }

    /// Cuts questions into groups whose whole matrices fit one pass; a question that does not fit by itself is a group of
    /// one.
    pub fn matrices(
        &self,
        questions: &[&EncodedQuestion],
        leads: &[Vec<u32>],
        match_tokens: usize,
    ) -> Vec<Range<usize>> {
        cut(&matrix_tokens(questions, leads, match_tokens), self.cost_tokens)
    }

    /// True if the whole matrices of the questions fit one pass.
    pub fn takes(&self, questions: &[&EncodedQuestion], leads: &[Vec<u32>], match_tokens: usize) -> bool {
        matrix_tokens(questions, leads, match_tokens).iter().sum::<usize>() <= self.cost_tokens
    }

    /// True if the caches of all branches of a question fit.
    pub fn fits(&self, question: &EncodedQuestion, leads: &[Vec<u32>], match_tokens: usize) -> bool {
        question_tokens(question, leads, match_tokens) <= self.cached_tokens
    }

    /// Cuts matched traces into passes. The traces of a question stay in one pass and share its prompt, unless they exceed a
    /// pass by themselves.
    pub fn training_passes(&self, questions: &[(&EncodedQuestion, &Assignment)]) -> Vec<Vec<TrainedTrace>> {
        let mut passes: Vec<Vec<TrainedTrace>> = Vec::new();
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

    /// True if all traces of the questions fit one training pass.
    pub fn trains_at_once(&self, questions: &[&EncodedQuestion]) -> bool {
        batch_tokens(questions) <= self.training_tokens
    }
}

/// Tokens of a training pass over the prompt and some traces of a question.
fn training_tokens(question: &EncodedQuestion, traces: Range<usize>) -> usize {
    question.prompt.len() + question.traces[traces].iter().map(|trace| trace.tokens.len()).sum::<usize>()
}

/// Tokens of a training pass over all traces of some questions.
fn batch_tokens(questions: &[&EncodedQuestion]) -> usize {
    questions.iter().map(|question| training_tokens(question, 0..question.traces.len())).sum()
}

/// Tokens of the prompt, the leads and all branches of a question.
fn question_tokens(question: &EncodedQuestion, leads: &[Vec<u32>], match_tokens: usize) -> usize {
    let branches: usize = question.traces.iter().map(|trace| trace.tokens.len().min(match_tokens)).sum();
    question.prompt.len() + leads.iter().map(|lead| lead.len() + branches).sum::<usize>()
}

/// [`question_tokens`] of every question.
fn matrix_tokens(questions: &[&EncodedQuestion], leads: &[Vec<u32>], match_tokens: usize) -> Vec<usize> {
    questions.iter().map(|question| question_tokens(question, leads, match_tokens)).collect()
}

/// Cuts a list of sizes into ranges of at most `most` in sum; a size above `most` is a range of its own.
///
/// `cut(&[3, 3, 3, 9, 1, 1], 6)` is `[0..2, 2..3, 3..4, 4..6]`.
pub fn cut(sizes: &[usize], most: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut sum = 0usize;
    for (index, &size) in sizes.iter().enumerate() {
        match ranges.last_mut() {
            Some(range) if sum.saturating_add(size) <= most => {
                range.end = index + 1;
                sum += size;
            }
            _ => {
                ranges.push(index..index + 1);
                sum = size;
            }
        }
    }
    ranges
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
        let budget = |preset| Budget::new(1 << 30, &DecoderConfig::preset(preset, 300), &[&[&question]]);
        let (tiny, small) = (budget(Preset::Tiny), budget(Preset::Small));
        assert!(
            tiny.training_tokens > 4 * small.training_tokens && small.training_tokens > 1000,
            "{small:?}"
        );
        assert_eq!(Budget::new(0, &DecoderConfig::preset(Preset::Tiny, 300), &[&[&question]]).cost_tokens, 1);
    }

    #[test]
    fn a_pass_without_gradient_takes_no_more_than_training() {
        use ssft_model::config::Preset;
        let config = DecoderConfig::preset(Preset::Tiny, 300);
        let (one, other) = (question(10, &[40, 50]), question(20, &[80]));
        let budget = Budget::new(1 << 30, &config, &[&[&one, &other]]);
        // Four layers and two more for the backward pass, against input and output of one.
        assert_eq!(budget.cost_tokens, (100 + 100) * 6 / 2);
    }
    #[test]
    fn the_largest_micro_batch_sets_the_budget() {
        use ssft_model::config::Preset;
        let config = DecoderConfig::preset(Preset::Tiny, 300);
        let (small, large) = (question(1, &[2]), question(20, &[400, 300]));
        let budget = |batches: &[&[&EncodedQuestion]]| Budget::new(1 << 30, &config, batches);
        let both = budget(&[&[&small], &[&large]]);
        assert_eq!(both, budget(&[&[&large]]));
        assert_eq!(both, budget(&[&[&large], &[&small]]), "in any order");
        assert!(both.cost_tokens > budget(&[&[&small]]).cost_tokens);
    }
}
