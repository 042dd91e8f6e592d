//! All questions of one operator at one level, and their enumeration in random order.

use super::question::{Operator, Question};
use crate::held_out::HeldOutAnswers;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::HashMap;

/// Smallest and largest second factor of a product; 0 and 1 are trivial.
const FACTORS: (u32, u32) = (2, 9);

/// The questions of one operator whose operands have a given number of digits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pool {
    operator: Operator,
    /// Smallest and largest first operand.
    lefts: (u32, u32),
    /// Smallest and largest second operand.
    rights: (u32, u32),
}

/// Number of questions of a pool; `a+b` and `b+a` count once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Supply {
    /// Questions with a held-out answer.
    pub(super) held: u64,
    /// Questions with any other answer.
    pub(super) open: u64,
}

impl Pool {
    /// The pool of `operator` with operands of `digits` digits (second factors of a product: one digit).
    pub(super) fn new(operator: Operator, digits: u32) -> Self {
        let lefts = (10_u32.pow(digits - 1), 10_u32.pow(digits) - 1);
        let rights = match operator {
            Operator::Add => lefts,
            Operator::Multiply => FACTORS,
        };
        Self { operator, lefts, rights }
    }

    /// The largest answer.
    pub(super) fn largest_answer(&self) -> u64 {
        self.operator.apply(self.lefts.1.into(), self.rights.1.into())
    }

    /// Counts the questions. Sums are counted by answer, since there are 8 billion sums of five digits.
    pub(super) fn supply(&self, held_out: &HeldOutAnswers) -> Supply {
        let mut supply = Supply::default();
        let mut count = |answer, questions| {
            let kind = if held_out.contains(answer) { &mut supply.held } else { &mut supply.open };
            *kind += questions;
        };
        match self.operator {
            Operator::Add => {
                let (low, high) = (u64::from(self.lefts.0), u64::from(self.lefts.1));
                // Unordered pairs with this sum: the smaller operand is at most half the sum, and at least the sum
                // minus the largest operand.
                (2 * low..=2 * high)
                    .for_each(|sum| count(sum, sum / 2 + 1 - low.max(sum.saturating_sub(high))));
            }
            Operator::Multiply => (0..self.len()).for_each(|index| count(self.question(index).answer(), 1)),
        }
        supply
    }

    /// All questions, each once, in an order drawn lazily from `rng`.
    pub(super) fn shuffled(self, rng: &mut ChaCha8Rng) -> impl Iterator<Item = Question> {
        Shuffled { next: 0, len: self.len(), moved: HashMap::new(), rng }
            .map(move |index| self.question(index))
    }

    /// Number of questions; `a+b` and `b+a` count as two.
    fn len(&self) -> u64 {
        span(self.lefts) * span(self.rights)
    }

    fn question(&self, index: u64) -> Question {
        let (row, column) = (index / span(self.rights), index % span(self.rights));
        // `row` and `column` are below the size of a `u32` range.
        let (left, right) = (self.lefts.0 + row as u32, self.rights.0 + column as u32);
        Question { left, operator: self.operator, right }
    }
}

/// Number of integers from `low` to `high`.
fn span((low, high): (u32, u32)) -> u64 {
    u64::from(high - low) + 1
}

/// A lazy Fisher-Yates shuffle of `0..len`. It stores displaced indices only, so that memory grows with the number of
/// indices taken, not with `len`.
struct Shuffled<'r> {
    next: u64,
    len: u64,
    /// Position to index, for positions that hold another index than their own.
    moved: HashMap<u64, u64>,
    rng: &'r mut ChaCha8Rng,
}

impl Iterator for Shuffled<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        if self.next == self.len {
            return None;
        }
        let position = self.rng.random_range(self.next..self.len);
        let chosen = self.moved.get(&position).copied().unwrap_or(position);
        let displaced = self.moved.remove(&self.next).unwrap_or(self.next);
        self.moved.insert(position, displaced);
        self.next += 1;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::HashSet;

    #[test]
    fn a_walk_visits_every_question_once() {
        for (operator, questions) in [(Operator::Add, 8_100), (Operator::Multiply, 720)] {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let walk: Vec<_> = Pool::new(operator, 2).shuffled(&mut rng).collect();
            let distinct: HashSet<_> = walk.iter().copied().collect();
            assert_eq!((walk.len(), distinct.len()), (questions, questions));
        }
    }

    #[test]
    fn supply_equals_a_count_one_by_one() {
        let held_out = HeldOutAnswers::draw(891, &mut ChaCha8Rng::seed_from_u64(2));
        for operator in [Operator::Add, Operator::Multiply] {
            let pool = Pool::new(operator, 2);
            let mut counted = Supply::default();
            for question in (0..pool.len()).map(|index| pool.question(index)) {
                let is_twin = operator == Operator::Add && question.left > question.right;
                match (is_twin, held_out.contains(question.answer())) {
                    (true, _) => {}
                    (false, true) => counted.held += 1,
                    (false, false) => counted.open += 1,
                }
            }
            assert_eq!(pool.supply(&held_out), counted);
        }
    }
}
