//! Random numbers of a run: every stream is a function of the seed, a purpose and up to three indices.
//!
//! There is no generator with a state to save: a run that resumes at step `n` draws what the uninterrupted run would have drawn.
//! All draws are on the host, so that every device gets the same numbers. Every purpose is listed here, so that no two streams of a
//! seed are the same.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Version of the streams: it changes when the same seed gives other numbers, so that a run started before is not continued with
/// other draws.
pub const DRAWS: u32 = 1;

/// What a stream of random numbers is for, with the indices that tell it from others of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Weights of a new model.
    Weights,
    /// Noise on the rows of added tokens in a table: 0 the embedding, 1 the head.
    AddedRows {
        /// Number of the table.
        table: u32,
    },
    /// Questions of a built-in task.
    Task {
        /// Name of the task, at most 16 bytes.
        name: &'static str,
    },
    /// Records of a user's data that are held out.
    HeldOut,
    /// Order of the training questions in an epoch.
    Shuffle {
        /// Epoch, from 0.
        epoch: u64,
    },
    /// Random assignments of a step.
    Assignment {
        /// Optimizer step, from 1.
        step: u64,
    },
    /// Tokens of a sampled answer.
    Sample {
        /// Question, from 0.
        question: u64,
        /// Fork, from 0.
        fork: u32,
        /// Number of the answer among those of the fork to the question, from 0.
        sample: u32,
    },
    /// Forks that give one more answer to a vote over `k` answers.
    Vote {
        /// Question, from 0.
        question: u64,
        /// Number of answers in the vote.
        k: u32,
    },
    /// Resampling of the questions for confidence intervals.
    Bootstrap {
        /// Number of the resampling, from 1.
        draw: u64,
    },
}

impl Stream {
    /// Purpose and indices as numbers: different for any two streams.
    fn words(self) -> [u64; 3] {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        match self {
            Self::Weights => [1, 0, 0],
            Self::AddedRows { table } => [2, u64::from(table), 0],
            Self::Task { name } => {
                let [first, second] = name_words(name);
                [3, first, second]
            }
            Self::HeldOut => [4, 0, 0],
            Self::Shuffle { epoch } => [5, epoch, 0],
            Self::Assignment { step } => [6, step, 0],
            Self::Sample { question, fork, sample } => [7, question, pair(fork, sample)],
            Self::Vote { question, k } => [8, question, u64::from(k)],
            Self::Bootstrap { draw } => [9, draw, 0],
        }
    }
}

/// The bytes of a name as two numbers, different for any two names.
///
/// # Panics
/// If the name has more than 16 bytes.
fn name_words(name: &str) -> [u64; 2] {
    let mut bytes = [0; 16];
    assert!(name.len() <= bytes.len(), "the name {name} has more than 16 bytes");
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    let word = |at: usize| bytes[at..at + 8].iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    [word(0), word(8)]
}

/// The generator of a stream under `seed`.
///
/// ```
/// use rand::RngExt;
/// use ssft_data::random::{Stream, generator};
/// let draw = |seed, stream| generator(seed, stream).random::<u64>();
/// assert_eq!(draw(1, Stream::Shuffle { epoch: 2 }), draw(1, Stream::Shuffle { epoch: 2 }));
/// assert_ne!(draw(1, Stream::Shuffle { epoch: 2 }), draw(1, Stream::Assignment { step: 2 }));
/// ```
pub fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let [purpose, first, second] = stream.words();
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose, first, second]) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::RngExt;
    use std::collections::HashMap;

    /// Once the shuffle of epoch k and the sampling of question 1 by fork k had the same key.
    #[test]
    fn no_two_streams_collide() {
        let small = 0..4u64;
        let mut streams = vec![Stream::Weights, Stream::HeldOut];
        streams.extend(["arithmetic", "countdown", "maze", "maze2"].map(|name| Stream::Task { name }));
        for a in small.clone() {
            streams.extend([Stream::Shuffle { epoch: a }, Stream::Assignment { step: a }]);
            streams.extend([Stream::AddedRows { table: a as u32 }, Stream::Bootstrap { draw: a }]);
            for b in small.clone() {
                streams.push(Stream::Vote { question: a, k: b as u32 });
                let samples =
                    small.clone().map(|c| Stream::Sample { question: a, fork: b as u32, sample: c as u32 });
                streams.extend(samples);
            }
        }
        let mut seen = HashMap::new();
        for seed in 0..3u64 {
            for &stream in &streams {
                let first: [u64; 2] = generator(seed, stream).random();
                if let Some(other) = seen.insert(first, (seed, stream)) {
                    panic!("{other:?} and {:?} are the same stream", (seed, stream));
                }
            }
        }
    }
}
