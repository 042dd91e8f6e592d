//! Protocol of an evaluation: forks, number of answers, sampling, judge, measures.

use super::answer::Judge;
use crate::decode::sample::Sampling;
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::forks::CoverageGraph;
use ssft_model::DecoderConfig;
use ssft_model::cache::LEAST_FREE_ROWS;

/// Room for an answer beyond the longest trace: one part in this many.
const ROOM_SHARE: usize = 4;

/// Protocol of an evaluation.
#[derive(Debug, Clone)]
pub struct Protocol {
    /// Forks to evaluate, counted from 0, in order.
    pub forks: Vec<usize>,
    /// Drawn answers per fork and question, in addition to the greedy one.
    pub samples: usize,
    /// Sampling of the drawn answers; its repetition penalty also applies to the greedy answers.
    pub sampling: Sampling,
    /// Most rows decoded together; a question with more rows is decoded alone.
    pub rows: usize,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Judge of the answers.
    pub judge: Judge,
    /// The fork (from 1) chosen by the coverage rule.
    pub chosen_fork: Option<usize>,
    /// Values of k of Pass@k and Cons@k.
    pub ks: Vec<usize>,
    /// Seed of the drawn answers, of votes of fewer answers than forks, and of the intervals.
    pub seed: u64,
}

impl Protocol {
    /// The protocol at the end of training: one greedy answer of each fork that training used (by `coverage`), with room
    /// for the longest trace of `questions`.
    pub fn greedy(
        coverage: &CoverageGraph,
        questions: &[EncodedQuestion],
        encoder: &Encoder,
        rows: usize,
        judge: Judge,
        seed: u64,
    ) -> Self {
        let forks = coverage.trained_forks();
        let traces = questions.iter().flat_map(|question| &question.traces);
        Self {
            ks: default_ks(forks.len(), 0),
            forks,
            samples: 0,
            sampling: Sampling::GREEDY,
            rows,
            max_tokens: longest_answer(traces.map(|trace| trace.tokens.len()), encoder),
            judge,
            chosen_fork: coverage.chosen_fork().map(|fork| fork + 1),
            seed,
        }
    }

    /// Fewest bytes that the drawn answers to a question take, in f32: logits of one token, keys and values of the first tokens.
    pub fn least_bytes(&self, model: &DecoderConfig) -> u64 {
        let cached = 2 * model.num_hidden_layers * model.num_key_value_heads * model.head_dim;
        let numbers = model.vocab_size + cached * self.max_tokens.min(LEAST_FREE_ROWS);
        let answers = self.forks.len() as u64 * self.samples as u64;
        answers.saturating_mul((numbers * size_of::<f32>()) as u64)
    }

    /// Number of questions decoded together; at least 1.
    pub(super) fn batch(&self) -> usize {
        let rows_per_question = self.forks.len() * self.samples.max(1);
        (self.rows / rows_per_question.max(1)).max(1)
    }
}

/// Default values of k of Pass@k and Cons@k: one answer, half of the forks, all forks, all answers.
pub fn default_ks(forks: usize, samples: usize) -> Vec<usize> {
    let mut ks = vec![1, (forks / 2).max(1), forks, forks * samples.max(1)];
    ks.dedup();
    ks
}

/// Most tokens of an answer: a quarter more than the longest of the lengths `traces`, or than the context without traces.
pub fn longest_answer(traces: impl Iterator<Item = usize>, encoder: &Encoder) -> usize {
    let longest = traces.max().unwrap_or(encoder.context());
    longest + longest.div_ceil(ROOM_SHARE)
}
