//! Built-in tasks: questions with several correct ways to one answer, made and checked by program.
//!
//! A task never names its strategies inside a trace: they share one vocabulary, and the order of
//! traces is shuffled per question. Answers are recomputed, never believed.

pub mod arithmetic;
mod claim;
pub mod countdown;
mod held_out;
pub mod maze;

use ssft_data::record::Record;
use thiserror::Error;

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSpec {
    /// Number of training questions.
    pub train: usize,
    /// Number of held-out questions, disjoint from the training ones.
    pub test: usize,
    /// 1 is the easiest; each task documents its levels.
    pub difficulty: u8,
    /// Seed of the generator: the same spec gives the same records, byte for byte.
    pub seed: u64,
}

/// Records of a task, split by question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskData {
    /// Questions to learn from.
    pub train: Vec<Record>,
    /// Held-out questions: none of them occurs in `train`, and a share of their answers neither.
    pub test: Vec<Record>,
}

/// What a finished trace turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// Every step has the form of this strategy (an index into [`Task::strategies`]), whether or not its numbers are right.
    Named(usize),
    /// Steps of at least two strategies in one trace.
    Chimera,
    /// No strategy's form.
    Other,
}

/// Whether a trace solves its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The claimed answer, in the one form in which votes count it; `None` if there is none to count.
    pub answer: Option<String>,
    /// The claimed answer equals the recomputed one.
    pub answer_correct: bool,
    /// Every step before the answer is true as well.
    pub steps_correct: bool,
}

/// A task that makes its own questions and checks its own answers.
pub trait Task: Sync {
    /// The name used by `--task`.
    fn name(&self) -> &'static str;
    /// Short names of the strategies, in a fixed order; they double as `source` of the generated traces.
    fn strategies(&self) -> &'static [&'static str];
    /// Hardest level that [`TaskSpec::difficulty`] may ask for.
    fn max_difficulty(&self) -> u8;
    /// Generates both splits.
    ///
    /// # Errors
    /// [`TaskError`] if the level does not exist or has fewer distinct questions than asked for.
    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError>;
    /// Recomputes the answer of `question` and checks `trace` against it.
    fn verify(&self, question: &str, trace: &str) -> Verdict;
    /// Names the strategy that the form of `trace` shows.
    fn classify(&self, question: &str, trace: &str) -> Strategy;
}

/// Why a task cannot be generated.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum TaskError {
    /// No such level.
    #[error("task {task}: difficulty {asked} does not exist; choose 1 to {max}")]
    Difficulty {
        /// The task's name.
        task: &'static str,
        /// The level asked for.
        asked: u8,
        /// The hardest level there is.
        max: u8,
    },
    /// More distinct questions asked for than the level has.
    #[error(
        "task {task}: {asked} questions asked for, but difficulty {difficulty} has only {available}; ask for fewer or raise --difficulty"
    )]
    TooMany {
        /// The task's name.
        task: &'static str,
        /// Training and test questions together.
        asked: usize,
        /// Distinct questions at this level.
        available: usize,
        /// The level asked for.
        difficulty: u8,
    },
}

/// The tasks of this build, in the order in which help texts list them.
pub fn all() -> &'static [&'static dyn Task] {
    &[&arithmetic::Arithmetic, &countdown::Countdown, &maze::Mazes]
}

/// The task called `name`, if there is one.
pub fn by_name(name: &str) -> Option<&'static dyn Task> {
    all().iter().copied().find(|task| task.name() == name)
}
