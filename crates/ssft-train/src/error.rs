//! Errors of a training step.

use ssft_model::CheckpointError;
use thiserror::Error;

/// Why a training step failed. Messages are one line and name settings in backticks.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A pairwise cost is NaN or infinite, so that no optimal matching is defined.
    #[error(
        "step {step}: the cost of trace {trace} of question {question} under fork {fork} is {value}; try a lower `lr`"
    )]
    Cost {
        /// Optimizer step, from 1.
        step: usize,
        /// Id of the question.
        question: String,
        /// Fork, from 1.
        fork: usize,
        /// Trace, from 1.
        trace: usize,
        /// The cost: NaN or infinite.
        value: f32,
    },
    /// The loss or the gradient norm is NaN or infinite; the weights are unchanged.
    #[error("step {step}: {what} is {value}; try a lower `lr`")]
    NotFinite {
        /// Optimizer step, from 1.
        step: usize,
        /// `the loss` or `the gradient norm`.
        what: &'static str,
        /// NaN or infinite.
        value: f32,
    },
    /// A question has more traces than there are forks (M > N), so that no injective map exists.
    #[error(
        "question {question} has {traces} traces but there are only {forks} forks; raise `forks` or drop traces"
    )]
    TooManyTraces {
        /// Id of the question.
        question: String,
        /// M.
        traces: usize,
        /// N.
        forks: usize,
    },
    /// A readback failed: the device is lost or out of memory.
    #[error("step {step}: the device stopped answering: {what}")]
    Device {
        /// Optimizer step, from 1.
        step: usize,
        /// Message of the device.
        what: String,
    },
    /// The saved state of a run is damaged or belongs to another run.
    #[error("trainer state: {what}")]
    State {
        /// The difference or damage, and the remedy.
        what: String,
    },
    /// The model cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
