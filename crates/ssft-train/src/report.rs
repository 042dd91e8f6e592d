//! The report of a step: one line of `metrics.jsonl`.

use crate::cost::CostTokens;
use crate::matching::Assignment;
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;

/// The forks that the traces of a question were trained under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Id of the question.
    pub id: String,
    /// Fork of each trace, from 1.
    pub forks: Vec<usize>,
}

impl Match {
    /// The match of `question` by `assignment`.
    pub fn new(question: &EncodedQuestion, assignment: &Assignment) -> Self {
        Self { id: question.id.clone(), forks: assignment.numbers() }
    }
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Optimizer step, from 1.
    pub step: usize,
    /// Epochs done after this step, with a fraction.
    pub epoch: f64,
    /// Set loss before the update, in nats per target token.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Euclidean norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// Target tokens of the step.
    pub tokens: usize,
    /// Target tokens per second, costs and matching included.
    pub tokens_per_s: f64,
    /// Milliseconds for the pairwise costs, readbacks included. On a GPU the update of the previous step may still be
    /// running at the start of this interval.
    pub ms_cost: f64,
    /// Milliseconds for the matching. Lazy matching alternates costs and matching; both are part of `ms_cost` then.
    pub ms_match: f64,
    /// Milliseconds for forward and backward passes, until the update is queued on the device.
    pub ms_train: f64,
    /// Share of padding among the tokens of the training passes. Packed trees have none, so it is 0.
    pub padding: f64,
    /// Share of the tokens of the whole cost matrices that was not computed; `None` for arms without costs.
    pub cost_saved: Option<f64>,
    /// Number of traces that had a second training pass, because the likely matching was not the optimal one.
    pub retrained: usize,
    /// The assignment of every question, in the order of the micro-batches.
    pub matches: Vec<Match>,
}

/// Times and token counts of a step. They start at 0, every phase adds to them, and they end in a [`StepReport`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StepCounters {
    /// See [`StepReport::ms_cost`].
    pub ms_cost: f64,
    /// See [`StepReport::ms_match`].
    pub ms_match: f64,
    /// See [`StepReport::ms_train`].
    pub ms_train: f64,
    /// Tokens of the training passes.
    pub packed_tokens: f64,
    /// Padding among them.
    pub padding_tokens: f64,
    /// Tokens of the costs; `None` for arms without costs.
    pub cost_tokens: Option<CostTokens>,
    /// See [`StepReport::retrained`].
    pub retrained: usize,
}

impl StepCounters {
    /// Adds the tokens of the costs of some questions.
    pub fn add_cost_tokens(&mut self, tokens: CostTokens) {
        *self.cost_tokens.get_or_insert_default() += tokens;
    }

    /// Milliseconds of all phases.
    pub fn milliseconds(&self) -> f64 {
        self.ms_cost + self.ms_match + self.ms_train
    }

    /// Target tokens per second for a step of `targets` target tokens.
    pub fn tokens_per_s(&self, targets: usize) -> f64 {
        /// Shortest time of a step, in milliseconds: a clock that stands still gives a finite rate.
        const SHORTEST_MS: f64 = 1e-3;
        targets as f64 * 1e3 / self.milliseconds().max(SHORTEST_MS)
    }

    /// See [`StepReport::padding`].
    pub fn padding(&self) -> f64 {
        self.padding_tokens / self.packed_tokens
    }
}
