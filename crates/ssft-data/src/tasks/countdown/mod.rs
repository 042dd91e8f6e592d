//! Numbers to combine into a target, each question searched in four ways.

mod canonical;
mod classify;
mod expression;
mod generate;
mod guide;
mod level;
mod numbers;
mod question;
mod search;
mod step;
mod strategies;
#[cfg(test)]
mod tests;
mod verify;

use super::{Strategy, Task, TaskData, TaskError, TaskSpec, Verdict};

/// The task `countdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Countdown;

const NAME: &str = "countdown";

impl Task for Countdown {
    fn name(&self) -> &'static str {
        NAME
    }

    fn strategies(&self) -> &'static [&'static str] {
        &strategies::NAMES
    }

    fn max_difficulty(&self) -> u8 {
        level::MAX_DIFFICULTY
    }

    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError> {
        generate::make(spec)
    }

    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
