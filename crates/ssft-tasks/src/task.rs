//! The trait [`Task`] and the types of its methods.

use crate::error::TaskError;
use ssft_data::record::Record;

/// Specification of generated data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Number of training questions.
    pub train: usize,
    /// Number of test questions, disjoint from the training questions.
    pub test: usize,
    /// Difficulty, from 1 (easiest); each task documents its levels.
    pub difficulty: u8,
    /// Seed of the generator. Equal specifications give equal records, byte for byte.
    pub seed: u64,
}

/// Generated records in two splits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskData {
    /// Training questions.
    pub train: Vec<Record>,
    /// Test questions. None occurs in `train`; about half have answers (for `maze`: ends) that no training question has.
    pub test: Vec<Record>,
}

/// Class of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// All steps have the form of this strategy (an index into [`Task::strategies`]); their numbers may be wrong.
    Named(usize),
    /// Steps of at least two strategies.
    Chimera,
    /// The form of no strategy.
    Other,
}

/// Result of checking a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The claimed answer in canonical form, so that equal answers are equal strings in a vote; `None` without one.
    pub answer: Option<String>,
    /// Whether the claimed answer is correct.
    pub answer_correct: bool,
    /// Whether the steps before the answer are correct.
    pub steps_correct: bool,
}

/// A task that generates its questions and checks answers to them.
pub trait Task: Sync {
    /// Name of the task, the value of the setting `task`.
    fn name(&self) -> &'static str;
    /// Names of the strategies, in a fixed order; also the `source` of the generated traces.
    fn strategies(&self) -> &'static [&'static str];
    /// Hardest difficulty.
    fn max_difficulty(&self) -> u8;
    /// Generates both splits.
    ///
    /// # Errors
    /// [`TaskError`] if the difficulty does not exist or has too few distinct questions.
    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError>;
    /// Checks `trace` against the answer recomputed from `question`.
    fn verify(&self, question: &str, trace: &str) -> Verdict;
    /// Classifies `trace` by its form.
    fn classify(&self, question: &str, trace: &str) -> Strategy;
}
