//! Built-in tasks: generated questions with several correct traces each, verified and classified by program.
//!
//! | module | question | strategies |
//! |---|---|---|
//! | [`arithmetic`] | sum or product, `347+285=` | `lsb`, `msb`, `place`, `round` |
//! | [`countdown`] | target from given numbers, `31,32,33=64:` | `sum`, `factor`, `beam`, `backward` |
//! | [`maze`] | path through a grid, `abd ba cf .. ;ac:` | `bfs`, `right`, `left`, `back` |
//!
//! Common to all tasks:
//! - A trace is `steps #### answer`. It never contains the name of its strategy, and all strategies of a task use the
//!   same characters.
//! - The order of the traces of a question is random.
//! - [`Task::verify`] recomputes the answer from the question.
//!
//! A new task is one folder with a type that implements [`Task`], and two lines in this file: its `mod`, and its entry
//! in [`all`]. Its tests check that each generated trace verifies and is classified as its own strategy.
//!
//! ```
//! use ssft_tasks::{Strategy, TaskSpec, by_name};
//!
//! let task = by_name("arithmetic").expect("a built-in task");
//! let data = task.make(&TaskSpec { train: 8, test: 2, difficulty: 1, seed: 1 })?;
//! assert_eq!((data.train.len(), data.test.len()), (8, 2));
//!
//! let trace = "7+5=12;4+8+1=13;3+2+1=6 #### 632";
//! let verdict = task.verify("347+285=", trace);
//! assert_eq!((verdict.answer.as_deref(), verdict.answer_correct), (Some("632"), true));
//! assert_eq!(task.classify("347+285=", trace), Strategy::Named(0));
//! assert_eq!(task.strategies()[0], "lsb");
//! # Ok::<(), ssft_tasks::TaskError>(())
//! ```

pub mod arithmetic;
pub mod countdown;
pub mod maze;

mod claim;
mod error;
mod held_out;
mod task;

pub use error::TaskError;
pub use task::{Strategy, Task, TaskData, TaskSpec, Verdict};

/// All built-in tasks, in the order of help texts.
pub fn all() -> &'static [&'static dyn Task] {
    &[
        // One line per task.
        &arithmetic::Arithmetic,
        &countdown::Countdown,
        &maze::Mazes,
    ]
}

/// The task called `name`, if there is one.
pub fn by_name(name: &str) -> Option<&'static dyn Task> {
    all().iter().copied().find(|task| task.name() == name)
}
