//! Errors of task generation.

use thiserror::Error;

/// A specification for which no data can be generated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TaskError {
    /// The difficulty does not exist.
    #[error("task {task}: difficulty {asked} does not exist; choose 1 to {max}")]
    Difficulty {
        /// Name of the task.
        task: &'static str,
        /// Requested difficulty.
        asked: u8,
        /// Hardest difficulty of the task.
        max: u8,
    },
    /// The difficulty has fewer distinct questions than requested.
    #[error(
        "task {task}: {asked} questions asked for, but difficulty {difficulty} has only {available}; ask for fewer or raise `difficulty`"
    )]
    TooMany {
        /// Name of the task.
        task: &'static str,
        /// Requested number of questions, training and test together.
        asked: usize,
        /// Number of distinct questions at this difficulty.
        available: usize,
        /// Requested difficulty.
        difficulty: u8,
    },
}
