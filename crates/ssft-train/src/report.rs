//! What a step leaves for people and files: its line of `metrics.jsonl`, and who was matched with what.

use serde::{Deserialize, Serialize};
use ssft_data::forks::CoverageGraph;

/// The coverage graph of the epoch under way and of the last whole one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochCoverage {
    /// Epoch under way, from 0.
    pub epoch: usize,
    /// Matches of the epoch under way.
    pub current: CoverageGraph,
    /// Matches of the last whole epoch, if there was one.
    pub last: Option<CoverageGraph>,
}

/// Which fork each trace of a question was trained under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Id of the question.
    pub id: String,
    /// Fork of each trace, from 1.
    pub forks: Vec<usize>,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Optimizer step, from 1.
    pub step: usize,
    /// Epochs done after this step.
    pub epoch: f64,
    /// Nats a target token, before the update.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// Target tokens of the step.
    pub tokens: usize,
    /// Target tokens a second, matching included.
    pub tokens_per_s: f64,
    /// Milliseconds for the pairwise costs, readbacks included. On a GPU the update of the step before may still
    /// be under way when this clock starts.
    pub ms_cost: f64,
    /// Milliseconds for the matching. Lazy matching decides between passes; its time is part of `ms_cost`.
    pub ms_match: f64,
    /// Milliseconds until forward and backward are done and the update is under way.
    pub ms_train: f64,
    /// Share of the tokens of the training passes that are padding.
    pub padding: f64,
    /// Share of the tokens of the whole cost matrices that was not computed for them; nothing for other arms.
    pub cost_saved: Option<f64>,
    /// Traces that were trained anew because a likely matching was not the optimal one.
    pub retrained: usize,
    /// The assignments, question by question.
    pub matches: Vec<Match>,
}
