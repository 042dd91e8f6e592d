//! Runs on disk: their directories, configuration files, checkpoints and results. Native only.

pub mod config_file;
pub mod evaluation_file;
pub mod files;
pub mod metrics;
mod missing_model;
pub mod model_directory;
pub mod run_directory;
pub mod start;
pub mod trained;

pub use config_file::{read_settings, resolve, to_toml};
pub use evaluation_file::{Asked, EvaluationFile, without_samples};
pub use metrics::Metrics;
pub use model_directory::ModelDirectory;
pub use run_directory::RunDirectory;
pub use start::{Start, absolute, prepare, split};
pub use trained::{Found, Trained};
