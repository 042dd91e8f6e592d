//! Settings of a training run.

use crate::arms::Method;
use crate::optimizer::AdamWSettings;
use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};

/// How the optimal matching is found. Both ways give the same matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// From the whole N x M cost matrix ([`crate::full`]).
    Full,
    /// From the part of the cost matrix that proves the optimum ([`crate::lazy`]).
    Lazy,
}

/// Settings of a run, besides its model and data.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The arm.
    pub method: Method,
    /// L: trace tokens that enter a matching cost.
    pub match_tokens: usize,
    /// How the optimal matching is found; used by [`Method::Ssft`] only.
    pub matching: Matching,
    /// Questions per micro-batch. They share passes as far as `memory_budget` allows.
    pub batch_questions: usize,
    /// Micro-batches per optimizer step.
    pub accumulate: usize,
    /// Bytes for the passes of a step, besides model and optimizer state; an estimate, see [`crate::Budget`]. Passes without
    /// gradient use a second copy of the weights in a faster layout if it takes at most a quarter of these bytes.
    pub memory_budget: u64,
    /// Learning rate of every step.
    pub schedule: Schedule,
    /// AdamW and gradient clipping.
    pub adamw: AdamWSettings,
    /// Seed of the order of the questions and of random assignments.
    pub seed: u64,
}

impl Settings {
    /// Questions per optimizer step.
    pub fn questions_per_step(&self) -> usize {
        self.batch_questions * self.accumulate
    }
}
