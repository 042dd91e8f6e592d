//! Errors of a session.

use ssft_data::error::DataError;
use ssft_decode::DecodeError;
use ssft_decode::choice::ForkChoiceError;
use ssft_kernels::self_test::SelfTestError;
use ssft_model::checkpoint::CheckpointError;
use ssft_run::RunError;
use ssft_run::options::underscored;
use ssft_train::TrainError;
use thiserror::Error;

/// Failure of a call of a session. Messages are one line; causes are in the chain of sources.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Another call is still pending.
    #[error("the session is busy; await the call before this one")]
    Busy,
    /// The session has no model.
    #[error("there is no model yet; call loadModel or newModel first")]
    NoModel,
    /// The model is not in training.
    #[error("no training was started; call startTraining first")]
    NoTraining,
    /// The training has no held-out questions.
    #[error("this training has no held-out questions; give startTraining a task and eval_questions")]
    NothingHeldOut,
    /// An argument has the wrong type or a value out of range.
    #[error("{call}: {what}")]
    Argument {
        /// Name of the called method.
        call: &'static str,
        /// The problem, and the values that are accepted.
        what: String,
    },
    /// WebGPU cannot be started, or its limits are too small for the model.
    #[error("WebGPU cannot be used here; give device \"cpu\"")]
    Device(#[source] Box<dyn std::error::Error>),
    /// A kernel differs from its reference on WebGPU.
    #[error("WebGPU failed its self-test; give device \"cpu\"")]
    SelfTest(#[source] SelfTestError),
    /// A whole training step or an answer on WebGPU differs from the CPU's.
    #[error("WebGPU failed its self-test; give device \"cpu\"")]
    Step(#[source] RunError),
    /// Weights cannot be read or written.
    #[error("the weights cannot be read or written")]
    Checkpoint(#[from] CheckpointError),
    /// A text or a record cannot be encoded.
    #[error("the text cannot be used")]
    Data(#[from] DataError),
    /// A training cannot be prepared, or a step fails.
    #[error("{}", subject(.0))]
    Run(#[from] RunError),
    /// The model does not have the selected fork.
    #[error("the forks cannot be chosen")]
    Forks(#[from] ForkChoiceError),
    /// Decoding failed.
    #[error("answering stopped")]
    Decode(#[from] DecodeError),
    /// The browser refused a shader or lost the device. Results since then are invalid.
    #[error("the browser's GPU failed: {what}; start again from the last saved state")]
    Broken {
        /// Message of the browser.
        what: String,
    },
    /// A panic, that is, a bug in this program. The data of the call that panicked stays locked.
    #[error("the program has a fault: {what}; start the module again, from the last saved state")]
    Panicked {
        /// Message of the panic.
        what: String,
    },
}

/// Subject of a [`RunError`]; its own message follows as the cause.
fn subject(error: &RunError) -> &'static str {
    match error {
        RunError::Setting { .. }
        | RunError::Unknown { .. }
        | RunError::Settings { .. }
        | RunError::Task { .. } => "the options cannot be used",
        RunError::Data { .. } => "the questions cannot be used",
        RunError::Model { .. } => "the model cannot be opened",
        RunError::State { .. } => "the saved session cannot be opened",
        RunError::Decode(_) => "answering stopped",
        RunError::Train(_) | RunError::Failed { .. } => "the training stopped",
    }
}

impl SessionError {
    /// `error` as [`SessionError::Argument`] of `call` if it is about an option, else as [`SessionError::Run`].
    pub fn of_call(call: &'static str, error: RunError) -> Self {
        match error {
            RunError::Unknown { key } => Self::Argument { call, what: format!("unknown option {key}") },
            RunError::Setting { .. } | RunError::Settings { .. } | RunError::Task { .. } => {
                Self::Argument { call, what: error.spelled(underscored) }
            }
            error => Self::Run(error),
        }
    }

    /// True if the device is lost or its results are invalid. Only a new module can continue, from a saved state.
    pub fn is_of_device(&self) -> bool {
        matches!(
            self,
            Self::Broken { .. }
                | Self::Panicked { .. }
                | Self::Run(
                    RunError::Train(
                        TrainError::Device { .. } | TrainError::Checkpoint(CheckpointError::Device { .. })
                    ) | RunError::Decode(DecodeError::Device { .. })
                )
                | Self::Step(
                    RunError::Train(TrainError::Device { .. }) | RunError::Decode(DecodeError::Device { .. })
                )
                | Self::Decode(DecodeError::Device { .. })
                | Self::Checkpoint(CheckpointError::Device { .. })
        )
    }
}
