//! Why a report cannot be written.

use ssft_run::RunError;
use thiserror::Error;

/// Why a report cannot be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// A directory is not that of a run.
    #[error("{directory} holds no run; give the directory of a run")]
    NoRun {
        /// The directory.
        directory: String,
    },
    /// A file of a run cannot be read.
    #[error("{file}: {why}; it is damaged: evaluate or train anew")]
    Damaged {
        /// The file, with its directory.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// `model/forks.json` of a run cannot be read.
    #[error("{directory}: {why}")]
    Forks {
        /// The directory of the run.
        directory: String,
        /// Name of the file, and what is wrong with it.
        why: String,
    },
    /// The evaluation of a run is not about the questions that the run held out.
    #[error(
        "{directory}/eval.json is of another {key} than the run; evaluate the run's own questions, or remove it"
    )]
    OtherQuestions {
        /// The directory of the run.
        directory: String,
        /// What differs: `task`, `difficulty` or `data`.
        key: &'static str,
    },
    /// The settings of a run cannot be read.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Two runs are of one arm and seed.
    #[error("{first} and {second} are both {arm} with seed {seed}; give one of them")]
    SameArm {
        /// Name of a run.
        first: String,
        /// Name of the other run.
        second: String,
        /// Name of their arm.
        arm: String,
        /// Their seed.
        seed: u64,
    },
    /// Two runs differ in a setting that a comparison keeps fixed.
    #[error(
        "{first} and {second} differ in {setting}; compare runs that differ in method, forks, match-tokens and seed alone"
    )]
    OtherSetting {
        /// Name of a run.
        first: String,
        /// Name of the other run.
        second: String,
        /// Name of the setting.
        setting: String,
    },
    /// Two runs were evaluated differently.
    #[error("{first} and {second} were evaluated with another {what}; evaluate them alike")]
    OtherEvaluation {
        /// Name of a run.
        first: String,
        /// Name of the other run.
        second: String,
        /// What differs: `sampling`.
        what: &'static str,
    },
    /// A page template fails.
    #[error(transparent)]
    Template(#[from] minijinja::Error),
    /// Settings cannot be written as TOML.
    #[error(transparent)]
    Toml(#[from] toml::ser::Error),
    /// Figures cannot be written as JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl ReportError {
    /// True if other runs, or the same runs once they are complete, can have a report.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Run(error) => error.is_input(),
            Self::Template(_) | Self::Toml(_) | Self::Json(_) => false,
            _ => true,
        }
    }
}
