//! The levels: candidates, and conditions on an accepted question.

use super::classify;
use super::numbers::Numbers;
use super::question::Question;
use super::strategies::{Approach, Solution};
use crate::error::TaskError;
use crate::task::Strategy;
use std::collections::HashSet;

/// Name of the task, and prefix of question ids.
pub(super) const NAME: &str = "countdown";

/// Parameters of a difficulty.
#[derive(Debug)]
pub(super) struct Level {
    /// Count of the given numbers.
    given: usize,
    /// Largest given number; the smallest is 1.
    largest: u64,
    /// Smallest and largest target.
    targets: (u64, u64),
    /// Most attempts of a strategy.
    attempts: usize,
    /// Largest number in a step.
    largest_in_step: u64,
    /// Longest trace, in bytes.
    bytes: usize,
}

const LEVELS: [Level; 4] = [
    Level { given: 3, largest: 20, targets: (5, 60), attempts: 6, largest_in_step: 400, bytes: 120 },
    Level { given: 3, largest: 35, targets: (10, 100), attempts: 6, largest_in_step: 999, bytes: 140 },
    Level { given: 4, largest: 15, targets: (10, 100), attempts: 5, largest_in_step: 999, bytes: 140 },
    Level { given: 4, largest: 25, targets: (10, 100), attempts: 5, largest_in_step: 9_999, bytes: 220 },
];

/// Hardest difficulty.
pub(super) const MAX_DIFFICULTY: u8 = LEVELS.len() as u8;

impl Level {
    /// The level of a difficulty.
    ///
    /// # Errors
    /// [`TaskError::Difficulty`] if it does not exist.
    pub(super) fn of(difficulty: u8) -> Result<&'static Self, TaskError> {
        let at = usize::from(difficulty).checked_sub(1);
        at.and_then(|at| LEVELS.get(at)).ok_or(TaskError::Difficulty {
            task: NAME,
            asked: difficulty,
            max: MAX_DIFFICULTY,
        })
    }

    /// The largest target.
    pub(super) fn largest_target(&self) -> u64 {
        self.targets.1
    }

    /// All combinations of given numbers and targets, reachable or not.
    pub(super) fn candidates(&self) -> Candidates {
        let mut chosen = vec![Vec::new()];
        for _ in 0..self.given {
            let longer = |some: &Vec<u64>| {
                let from = some.last().copied().unwrap_or(1);
                (from..=self.largest).map(|next| [some.as_slice(), &[next]].concat()).collect::<Vec<_>>()
            };
            chosen = chosen.iter().flat_map(longer).collect();
        }
        let given = chosen.iter().filter_map(|numbers| Numbers::new(numbers)).collect();
        Candidates { given, targets: self.targets }
    }

    /// The solutions of `question`, in the order of the strategies; `None` unless every strategy solves it within the
    /// limits of the level, all traces differ, and each is classified as its own strategy.
    pub(super) fn solve(&self, question: &Question) -> Option<[Solution; 4]> {
        // `beam` fails most often, so it is tried first.
        let beam = self.solution(Approach::Beam, question)?;
        let sum = self.solution(Approach::Sum, question)?;
        let factor = self.solution(Approach::Factor, question)?;
        let backward = self.solution(Approach::Backward, question)?;
        let solutions = [sum, factor, beam, backward];
        let distinct: HashSet<_> = solutions.iter().map(|solution| solution.trace.as_str()).collect();
        let text = question.to_string();
        let shows_itself = |(index, solution): (usize, &Solution)| {
            classify::strategy(&text, &solution.trace) == Strategy::Named(index)
        };
        let is_fit = distinct.len() == solutions.len() && solutions.iter().enumerate().all(shows_itself);
        is_fit.then_some(solutions)
    }

    fn solution(&self, approach: Approach, question: &Question) -> Option<Solution> {
        let solution = approach.solve(question, self.attempts)?;
        let fits = solution.trace.len() <= self.bytes && solution.largest <= self.largest_in_step;
        fits.then_some(solution)
    }
}

/// Candidate questions, addressed by index.
#[derive(Debug)]
pub(super) struct Candidates {
    given: Vec<Numbers>,
    targets: (u64, u64),
}

impl Candidates {
    /// Number of candidates, at most 2 million.
    pub(super) fn len(&self) -> u32 {
        self.given.len() as u32 * self.targets()
    }

    /// The question at `index`, which is below [`Self::len`].
    pub(super) fn question(&self, index: u32) -> Question {
        let (row, column) = (index / self.targets(), index % self.targets());
        Question { numbers: self.given[row as usize], target: self.targets.0 + u64::from(column) }
    }

    /// Number of targets.
    fn targets(&self) -> u32 {
        (self.targets.1 - self.targets.0) as u32 + 1
    }
}
