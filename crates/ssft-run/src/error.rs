//! Why a run cannot be prepared, or stops.
//!
//! Messages are one line. They name a setting in backticks, in kebab-case (`` raise `context` ``): each face spells it as its users
//! write it, with [`spelled`](crate::spelled).

use ssft_decode::DecodeError;
use ssft_train::TrainError;
use std::fmt::Display;
use std::path::Path;
use thiserror::Error;

/// Why a run cannot be prepared, or stops.
#[derive(Debug, Error)]
pub enum RunError {
    /// A setting has a value that it cannot have.
    #[error("`{key}` {problem}")]
    Setting {
        /// Name of the setting, in kebab-case.
        key: String,
        /// What is wrong and what to give, as in `is 0; give 1 or more`.
        problem: String,
    },
    /// There is no such setting.
    #[error("unknown setting \"{key}\"")]
    Unknown {
        /// The name given.
        key: String,
    },
    /// Settings that cannot be read back.
    #[error("{what}")]
    Settings {
        /// What is wrong.
        what: String,
    },
    /// The built-in task does not exist, or not at this level or size.
    #[error("{what}")]
    Task {
        /// What is wrong and what to give.
        what: String,
    },
    /// The questions cannot be used.
    #[error("{what}")]
    Data {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// The model cannot be used.
    #[error("{what}")]
    Model {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// A run directory or a saved state cannot be used.
    #[error("{what}")]
    State {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// A file or a device fails while the run is under way.
    #[error("{what}")]
    Failed {
        /// What is wrong, where, and what to do.
        what: String,
    },
    /// A training step fails; the weights are those from before the step.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Decoding fails.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl RunError {
    /// `problem` of the setting `key`.
    pub fn setting(key: &str, problem: &str) -> Self {
        Self::Setting { key: key.to_owned(), problem: problem.to_owned() }
    }

    /// A built-in task that cannot be used.
    pub fn task(what: impl Display) -> Self {
        Self::Task { what: what.to_string() }
    }

    /// Questions that cannot be used.
    pub fn data(what: impl Display) -> Self {
        Self::Data { what: what.to_string() }
    }

    /// A model that cannot be used.
    pub fn model(what: impl Display) -> Self {
        Self::Model { what: what.to_string() }
    }

    /// A run directory or a saved state that cannot be used.
    pub fn state(what: impl Display) -> Self {
        Self::State { what: what.to_string() }
    }

    /// A failure of a run under way.
    pub fn failed(what: impl Display) -> Self {
        Self::Failed { what: what.to_string() }
    }

    /// The same error with the place it is about in front: `place: what`.
    pub fn at(self, place: &Path) -> Self {
        let located = |what: String| format!("{}: {what}", place.display());
        match self {
            Self::Data { what } => Self::Data { what: located(what) },
            Self::Model { what } => Self::Model { what: located(what) },
            Self::State { what } => Self::State { what: located(what) },
            Self::Failed { what } => Self::Failed { what: located(what) },
            other => other,
        }
    }

    /// True if the input is at fault: nothing was done, and other input may work.
    pub fn is_input(&self) -> bool {
        !matches!(self, Self::Failed { .. } | Self::Train(_) | Self::Decode(_))
    }
}
