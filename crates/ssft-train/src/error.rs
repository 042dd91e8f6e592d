//! Why a training step stops.

use ssft_model::CheckpointError;
use thiserror::Error;

/// What can go wrong while training. Messages are one line.
#[derive(Debug, Error)]
pub enum TrainError {
    /// A pairwise cost is not a number, so no matching is better than another.
    #[error(
        "step {step}: the cost of trace {trace} of question {question} under fork {fork} is {value}; try a lower --lr"
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
        /// NaN or infinite.
        value: f32,
    },
    /// The loss or the gradient is not a number; the weights were not touched.
    #[error("step {step}: {what} is {value}; try a lower --lr")]
    NotFinite {
        /// Optimizer step, from 1.
        step: usize,
        /// `the loss` or `the gradient norm`.
        what: &'static str,
        /// NaN or infinite.
        value: f32,
    },
    /// More traces than forks.
    #[error(
        "question {question} has {traces} traces but there are only {forks} forks; raise --forks or drop traces"
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
        /// The device's own words.
        what: String,
    },
    /// The saved state of a run does not fit the run.
    #[error("trainer state: {what}")]
    State {
        /// What is wrong and what to do.
        what: String,
    },
    /// The model cannot be read or written.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
