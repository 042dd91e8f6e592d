//! A model and questions on which all arms train.

use crate::arm::Arm;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_model::{Decoder, DecoderConfig};
use ssft_train::Settings;
use ssft_train::optimizer::AdamWSettings;
use ssft_train::schedule::{Schedule, Shape as ScheduleShape};

/// Sizes of a batch of random tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// B: questions of a step.
    pub questions: usize,
    /// N: forks.
    pub forks: usize,
    /// M: traces of a question.
    pub traces: usize,
    /// P: tokens of a prompt.
    pub prompt: usize,
    /// T: tokens of a trace, the end included.
    pub trace: usize,
    /// L: trace tokens that enter the matching cost.
    pub match_tokens: usize,
}

/// A model and questions on which all arms train.
#[derive(Debug)]
pub struct Workload {
    /// Model at the start, with gradients tracked.
    pub model: Decoder,
    /// Tokens between the prompt and a trace, for each fork.
    pub leads: Vec<Vec<u32>>,
    /// Questions that steps draw from.
    pub data: Vec<EncodedQuestion>,
    /// B: questions of a step.
    pub questions: usize,
    /// L: trace tokens that enter the matching cost.
    pub match_tokens: usize,
    /// Bytes that the passes of a step may take.
    pub memory_budget: u64,
    /// Seed of the order of questions and of random assignments.
    pub seed: u64,
}

/// Means over the questions of a workload.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Traces of a question.
    pub traces: f64,
    /// Tokens of a prompt.
    pub prompt: f64,
    /// Tokens of a trace.
    pub trace: f64,
}

/// Batches of different questions in a random workload.
const BATCHES: usize = 8;
/// Learning rate, so low that a trained model stays as it is.
const RATE: f64 = 1e-6;

impl Workload {
    /// A random model and questions of random tokens. The last tokens of the vocabulary are the forks.
    ///
    /// # Panics
    /// If the vocabulary has no token beside the forks.
    pub fn random(
        config: &DecoderConfig,
        lengths: Lengths,
        memory_budget: u64,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let words = (config.vocab_size - lengths.forks) as u32;
        let mut draw =
            |count: usize| -> Vec<u32> { (0..count).map(|_| rng.random_range(0..words)).collect() };
        let mut question = |index: usize| EncodedQuestion {
            id: index.to_string(),
            prompt: draw(lengths.prompt),
            traces: (0..lengths.traces)
                .map(|trace| EncodedTrace { source: trace.to_string(), tokens: draw(lengths.trace) })
                .collect(),
            answer: None,
        };
        Self {
            model: Decoder::init(config, seed, &device.clone().autodiff()),
            leads: (0..lengths.forks).map(|fork| vec![words + fork as u32]).collect(),
            data: (0..BATCHES * lengths.questions).map(&mut question).collect(),
            questions: lengths.questions,
            match_tokens: lengths.match_tokens,
            memory_budget,
            seed,
        }
    }

    /// Means over the questions.
    pub fn means(&self) -> Means {
        let questions = self.data.len() as f64;
        let traces = || self.data.iter().flat_map(|question| &question.traces);
        let count = traces().count() as f64;
        Means {
            traces: count / questions,
            prompt: self.data.iter().map(|question| question.prompt.len()).sum::<usize>() as f64 / questions,
            trace: traces().map(|trace| trace.tokens.len()).sum::<usize>() as f64 / count,
        }
    }

    /// Settings of the trainer of `arm`.
    pub(crate) fn settings(&self, arm: Arm) -> Settings {
        let (method, matching) = arm.method();
        Settings {
            method,
            matching,
            match_tokens: self.match_tokens,
            batch_questions: self.questions,
            accumulate: 1,
            memory_budget: self.memory_budget,
            schedule: Schedule { peak: RATE, warmup_steps: 0, steps: 1, shape: ScheduleShape::Constant },
            adamw: AdamWSettings::default(),
            seed: self.seed,
        }
    }
}
