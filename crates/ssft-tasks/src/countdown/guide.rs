//! The heuristics of the forward strategies: ranking of the next steps.

use super::numbers::Numbers;
use super::step::{Operator, Step};
use std::cmp::Reverse;

/// A possible next step and the numbers that it leaves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move {
    pub(super) step: Step,
    pub(super) left: Numbers,
}

/// All moves from `numbers`, pairs of small numbers first; of moves that leave the same numbers only the first. The
/// larger operand is on the left.
pub(super) fn moves(numbers: &Numbers) -> Vec<Move> {
    let values = numbers.as_slice();
    let pairs = (0..values.len()).flat_map(|low| (low + 1..values.len()).map(move |high| (low, high)));
    let mut moves: Vec<Move> = Vec::new();
    for next in pairs.flat_map(|(low, high)| moves_of_pair(numbers, values[high], values[low])) {
        if moves.iter().all(|known| known.left != next.left) {
            moves.push(next);
        }
    }
    moves
}

/// The moves that combine `left` and `right`, two of `numbers`, with `left >= right`.
pub(super) fn moves_of_pair(numbers: &Numbers, left: u64, right: u64) -> impl Iterator<Item = Move> {
    let numbers = *numbers;
    Operator::ALL.into_iter().filter_map(move |operator| {
        let result = operator.apply(left, right)?;
        let step = Step { left, operator, right, result };
        Some(Move { step, left: numbers.replace(left, right, result)? })
    })
}

/// The quantity that a forward strategy minimizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heuristic {
    /// Distance between the sum of the numbers left and the target.
    Sum,
    /// Distance between the result and a factor of the target above 1; ties go to the larger result.
    Factor,
    /// Distance between the target and the sum or the product of the numbers left, whichever is nearer.
    SumOrProduct,
}

/// A heuristic for one target.
#[derive(Debug)]
pub(super) struct Guide {
    heuristic: Heuristic,
    target: u64,
    /// Factors of the target above 1; empty unless the heuristic is [`Heuristic::Factor`].
    factors: Vec<u64>,
}

impl Guide {
    /// The heuristic for `target`.
    pub(super) fn new(heuristic: Heuristic, target: u64) -> Self {
        let factors = if heuristic == Heuristic::Factor { factors(target) } else { Vec::new() };
        Self { heuristic, target, factors }
    }

    /// All moves from `numbers`, the best first; ties keep the order of [`moves`].
    pub(super) fn ranked(&self, numbers: &Numbers) -> Vec<Move> {
        let mut moves = moves(numbers);
        moves.sort_by_cached_key(|next| self.badness(next));
        moves
    }

    /// The first of [`Self::ranked`].
    pub(super) fn best(&self, numbers: &Numbers) -> Option<Move> {
        self.best_of(moves(numbers))
    }

    /// The best of `moves`; ties go to the first.
    pub(super) fn best_of(&self, moves: impl IntoIterator<Item = Move>) -> Option<Move> {
        moves.into_iter().min_by_key(|next| self.badness(next))
    }

    /// Sort key of a move; the best move has the smallest. With one number left it is the distance to the target for
    /// every heuristic.
    fn badness(&self, next: &Move) -> (u64, Reverse<u64>) {
        let to_target = |value: u64| value.abs_diff(self.target);
        let result = next.step.result;
        match (next.left.single(), self.heuristic) {
            (Some(last), _) => (to_target(last), Reverse(0)),
            (None, Heuristic::Sum) => (to_target(next.left.sum()), Reverse(0)),
            (None, Heuristic::SumOrProduct) => {
                (to_target(next.left.sum()).min(to_target(next.left.product())), Reverse(0))
            }
            (None, Heuristic::Factor) => {
                let to_factor = self.factors.iter().map(|factor| factor.abs_diff(result)).min();
                (to_factor.unwrap_or(result), Reverse(result))
            }
        }
    }
}

/// The factors of `target` above 1, unordered.
fn factors(target: u64) -> Vec<u64> {
    let small = (1..=target.isqrt()).filter(|factor| target.is_multiple_of(*factor));
    small.flat_map(|factor| [factor, target / factor]).filter(|factor| *factor > 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[u64]) -> Numbers {
        Numbers::new(values).expect("four at most")
    }

    fn ranking(heuristic: Heuristic, values: &[u64], target: u64) -> Vec<String> {
        let ranked = Guide::new(heuristic, target).ranked(&numbers(values));
        ranked.iter().map(|next| next.step.forward()).collect()
    }

    #[test]
    fn rankings_equal_those_found_by_hand() {
        // Sums left: 16 15 10 23 29 43 14 2 ... for 3,5,8; distances to 29: 13 6 19.
        assert_eq!(ranking(Heuristic::Sum, &[3, 5, 8], 29)[..3], ["8*3=24", "5*3=15", "5+3=8"]);
        // Factors 2 4 8 16 32 64: of the results, 8 and 2 are factors; 15, 5 and 3 are one away.
        assert_eq!(
            ranking(Heuristic::Factor, &[3, 5, 8], 64)[..5],
            ["5+3=8", "5-3=2", "5*3=15", "8-3=5", "8-5=3"]
        );
        // 8 left with 8: product 64.
        assert_eq!(ranking(Heuristic::SumOrProduct, &[3, 5, 8], 64)[0], "5+3=8");
        // Two numbers: all go by the distance to the target.
        for heuristic in [Heuristic::Sum, Heuristic::Factor, Heuristic::SumOrProduct] {
            assert_eq!(ranking(heuristic, &[4, 8], 11), ["8+4=12", "8-4=4", "8/4=2", "8*4=32"]);
        }
    }

    #[test]
    fn moves_that_leave_the_same_numbers_count_once() {
        let written: Vec<_> = moves(&numbers(&[2, 2, 7])).iter().map(|next| next.step.forward()).collect();
        // 2*2 leaves what 2+2 leaves; the second 2 does with 7 what the first does.
        assert_eq!(written, ["2+2=4", "2/2=1", "7+2=9", "7*2=14", "7-2=5"]);
    }

    #[test]
    fn factors_by_hand() {
        let sorted = |target| {
            let mut factors = factors(target);
            factors.sort_unstable();
            factors.dedup();
            factors
        };
        assert_eq!((sorted(36), sorted(7), sorted(1)), (vec![2, 3, 4, 6, 9, 12, 18, 36], vec![7], vec![]));
        assert_eq!(sorted(u64::from(u32::MAX)).len(), 31);
    }
}
