//! Why a call of a session fails.

use ssft_data::error::DataError;
use ssft_decode::DecodeError;
use ssft_decode::choice::ForkChoiceError;
use ssft_kernels::self_test::SelfTestError;
use ssft_model::checkpoint::CheckpointError;
use ssft_run::RunError;
use ssft_run::options::underscored;
use ssft_train::TrainError;
use thiserror::Error;

/// Why a call of a session fails. Messages are one line; what is behind them is their source.
#[derive(Debug, Error)]
pub enum SessionError {
    /// Another call has not ended yet.
    #[error("the session is busy; await the call before this one")]
    Busy,
    /// There is no model.
    #[error("there is no model yet; call loadModel or newModel first")]
    NoModel,
    /// The model is not in training.
    #[error("no training was started; call startTraining first")]
    NoTraining,
    /// The training has no questions but those it learns from.
    #[error("this training has no held-out questions; give startTraining a task and eval_questions")]
    NothingHeldOut,
    /// An argument has another shape than the documented one, or a value out of range.
    #[error("{call}: {what}")]
    Argument {
        /// The method.
        call: &'static str,
        /// What is wrong and what to give.
        what: String,
    },
    /// WebGPU cannot be used.
    #[error("WebGPU cannot be used here; give device \"cpu\"")]
    Device(#[source] Box<dyn std::error::Error>),
    /// WebGPU computes something else.
    #[error("WebGPU failed its self-test; give device \"cpu\"")]
    SelfTest(#[source] SelfTestError),
    /// A whole step gives other numbers than on the CPU.
    #[error("WebGPU failed its self-test; give device \"cpu\"")]
    Step(#[source] RunError),
    /// Weights cannot be read or written.
    #[error("the weights cannot be read or written")]
    Checkpoint(#[from] CheckpointError),
    /// Text or records cannot be used.
    #[error("the text cannot be used")]
    Data(#[from] DataError),
    /// The run cannot be prepared or stops.
    #[error("{}", subject(.0))]
    Run(#[from] RunError),
    /// There is no such fork.
    #[error("the forks cannot be chosen")]
    Forks(#[from] ForkChoiceError),
    /// Decoding failed.
    #[error("answering stopped")]
    Decode(#[from] DecodeError),
    /// The browser refused a shader or lost track of the device: nothing that was computed since can be believed.
    #[error("the browser's GPU failed: {what}; start again from the last saved state")]
    Broken {
        /// What was reported.
        what: String,
    },
    /// A fault of ours: what was under way then is locked for good.
    #[error("the program has a fault: {what}; start the module again, from the last saved state")]
    Panicked {
        /// The words of the panic.
        what: String,
    },
}

/// What a [`RunError`] is about; its own message follows as the cause.
fn subject(error: &RunError) -> &'static str {
    match error {
        RunError::Setting { .. } | RunError::Unknown { .. } | RunError::Settings { .. } => {
            "the options cannot be used"
        }
        RunError::Data { .. } => "the questions cannot be used",
        RunError::Model { .. } => "the model cannot be opened",
        RunError::State { .. } => "the saved session cannot be opened",
        RunError::Decode(_) => "answering stopped",
        RunError::Train(_) | RunError::Failed { .. } => "the training stopped",
    }
}

impl SessionError {
    /// An error about the options of `call`, in one message; other errors as they are.
    pub fn of_call(call: &'static str, error: RunError) -> Self {
        match error {
            RunError::Unknown { key } => Self::Argument { call, what: format!("unknown option {key}") },
            RunError::Setting { .. } | RunError::Settings { .. } => {
                Self::Argument { call, what: error.spelled(underscored) }
            }
            error => Self::Run(error),
        }
    }

    /// True if the device is lost or cannot be believed any more: only a new module can go on, from a saved state.
    pub fn is_of_device(&self) -> bool {
        matches!(
            self,
            Self::Broken { .. }
                | Self::Panicked { .. }
                | Self::Run(RunError::Train(
                    TrainError::Device { .. } | TrainError::Checkpoint(CheckpointError::Device { .. })
                ))
                | Self::Run(RunError::Decode(DecodeError::Device { .. }))
                | Self::Decode(DecodeError::Device { .. })
                | Self::Checkpoint(CheckpointError::Device { .. })
        )
    }
}
