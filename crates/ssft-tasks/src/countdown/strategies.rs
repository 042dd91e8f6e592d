//! The four strategies: the correct trace of each for a question.

use super::expression::Expression;
use super::guide::Heuristic;
use super::question::Question;
use super::search::{Found, backward, beam, depth_first};
use super::step::{GROUP_END, STEP_END, Step};
use crate::claim::ANSWER_MARK;

/// A strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approach {
    /// `sum`: depth-first, guided by the sum of the numbers left.
    Sum,
    /// `factor`: depth-first, guided by the factors of the target.
    Factor,
    /// `beam`: breadth-first.
    Beam,
    /// `backward`: from the target backward.
    Backward,
}

/// Names, indexed by [`Approach::index`].
pub(super) const NAMES: [&str; 4] = ["sum", "factor", "beam", "backward"];

/// The solution of a question by one strategy.
#[derive(Debug)]
pub(super) struct Solution {
    /// The trace: steps, answer mark, answer.
    pub(super) trace: String,
    /// The answer.
    pub(super) answer: Expression,
    /// Largest number in any step.
    pub(super) largest: u64,
}

impl Approach {
    /// All strategies, in the order of [`NAMES`].
    pub(super) const ALL: [Self; 4] = [Self::Sum, Self::Factor, Self::Beam, Self::Backward];

    /// Index into [`NAMES`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Name of the strategy.
    pub(super) fn name(self) -> &'static str {
        NAMES[self.index()]
    }

    /// Solves `question` within `attempts` attempts (`beam`: one); `None` if the target is not reached.
    pub(super) fn solve(self, question: &Question, attempts: usize) -> Option<Solution> {
        let found = match self {
            Self::Sum => depth_first(question, Heuristic::Sum, attempts),
            Self::Factor => depth_first(question, Heuristic::Factor, attempts),
            Self::Beam => beam(question),
            Self::Backward => backward(question, attempts),
        }?;
        self.write(question, &found)
    }

    fn write(self, question: &Question, found: &Found) -> Option<Solution> {
        let text = if self == Self::Backward { Step::backward } else { Step::forward };
        let group = |steps: &Vec<Step>| steps.iter().map(text).collect::<Vec<_>>().join(STEP_END);
        let steps = found.groups.iter().map(group).collect::<Vec<_>>().join(GROUP_END);
        let answer = Expression::from_steps(&question.numbers, &found.way)?;
        let written = found.groups.iter().flatten().flat_map(|step| [step.left, step.right, step.result]);
        Some(Solution {
            trace: format!("{steps} {ANSWER_MARK} {answer}"),
            answer,
            largest: written.max().unwrap_or(0),
        })
    }
}
