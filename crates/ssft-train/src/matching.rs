//! 2. The optimal matching: the injective map from traces to forks of least total cost.
//!
//! `s = argmin over injective s of sum_j C[s(j), j]` (arXiv 2510.05132, section 3), by the Kuhn-Munkres algorithm.
//!
//! Tie rule: among maps of equal total cost, the one in which trace 1 has the lowest fork, then trace 2, and so on.
//! The same matrix therefore always gives the same matching.

use crate::cost::CostMatrix;
use crate::error::TrainError;
use pathfinding::kuhn_munkres::kuhn_munkres_min;
use pathfinding::matrix::Matrix;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use ssft_data::encode::EncodedQuestion;
use thiserror::Error;

/// The fork of each trace of a question, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// `forks[j]` is the fork of trace j.
    pub forks: Vec<usize>,
}

/// Why a cost matrix has no optimal matching.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum MatchingError {
    /// A cost is NaN or infinite.
    #[error("the cost of trace {} under fork {} is not a finite number", trace + 1, fork + 1)]
    NotFinite {
        /// From 0.
        fork: usize,
        /// From 0.
        trace: usize,
    },
    /// M > N: no injective map exists.
    #[error("{traces} traces cannot have different forks when there are only {forks}")]
    TooManyTraces {
        /// M.
        traces: usize,
        /// N.
        forks: usize,
    },
}

impl Assignment {
    /// Every trace to fork 0, as in the arms that use `<think1>` alone.
    pub fn all_to_first(traces: usize) -> Self {
        Self { forks: vec![0; traces] }
    }

    /// An injective map, drawn uniformly.
    ///
    /// # Panics
    /// If there are fewer forks than traces.
    pub fn random(forks: usize, traces: usize, rng: &mut ChaCha8Rng) -> Self {
        assert!(traces <= forks, "{traces} traces cannot have different forks out of {forks}");
        let mut order: Vec<usize> = (0..forks).collect();
        order.shuffle(rng);
        order.truncate(traces);
        Self { forks: order }
    }

    /// The injective map of least total cost; ties by the rule of this module.
    ///
    /// # Errors
    /// [`MatchingError`] if a cost is not finite or there are more traces than forks.
    ///
    /// ```
    /// use ssft_train::{Assignment, CostMatrix};
    ///
    /// // Rows are forks, columns are traces. Fork 1 is the cheapest one for both traces, but it is given only once:
    /// // trace 1 -> fork 2 and trace 2 -> fork 1 cost 1.5 + 2.0, against 1.0 + 9.0 the other way round.
    /// let costs = CostMatrix { forks: 3, traces: 2, values: vec![1.0, 2.0, 1.5, 9.0, 8.0, 9.0] };
    /// let matching = Assignment::optimal(&costs)?;
    /// assert_eq!(matching.forks, [1, 0]);
    /// assert_eq!(matching.total(&costs), 3.5);
    /// # Ok::<(), ssft_train::matching::MatchingError>(())
    /// ```
    pub fn optimal(costs: &CostMatrix) -> Result<Self, MatchingError> {
        let (forks, traces) = (costs.forks, costs.traces);
        if let Some((fork, trace)) = costs.not_finite() {
            return Err(MatchingError::NotFinite { fork, trace });
        }
        if traces > forks {
            return Err(MatchingError::TooManyTraces { traces, forks });
        }
        let mut solver = Solver::new(costs);
        let (optimum, mut assignment) = solver.solve();
        // The tie rule: trace by trace, the lowest fork with which the optimum can still be reached.
        for trace in 0..traces {
            for fork in 0..assignment[trace] {
                let undo = solver.fix(trace, fork);
                let (total, tied) = solver.solve();
                if total == optimum {
                    assignment = tied;
                    break;
                }
                solver.restore(trace, undo);
            }
            solver.fix(trace, assignment[trace]);
        }
        Ok(Self { forks: assignment })
    }

    /// [`Assignment::optimal`] for the costs of `question`; `step` is named in the error.
    ///
    /// # Errors
    /// [`TrainError::Cost`] if a cost is not finite, [`TrainError::TooManyTraces`] if there are more traces than forks.
    pub fn optimal_for(
        question: &EncodedQuestion,
        costs: &CostMatrix,
        step: usize,
    ) -> Result<Self, TrainError> {
        Self::optimal(costs).map_err(|error| error.of_question(question, costs, step))
    }

    /// Pairs (fork, trace), both from 0, trace by trace.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.forks.iter().copied().zip(0..)
    }

    /// Sum of the costs of all pairs, added trace by trace.
    pub fn total(&self, costs: &CostMatrix) -> f64 {
        self.pairs().map(|(fork, trace)| f64::from(costs.at(fork, trace))).sum()
    }

    /// The forks counted from 1, as people and files see them: fork 0 is `<think1>`.
    pub fn numbers(&self) -> Vec<usize> {
        self.forks.iter().map(|fork| fork + 1).collect()
    }
}

impl MatchingError {
    /// The same error with the names of the step, the question and the pair.
    pub(crate) fn of_question(
        self,
        question: &EncodedQuestion,
        costs: &CostMatrix,
        step: usize,
    ) -> TrainError {
        let id = question.id.clone();
        match self {
            Self::NotFinite { fork, trace } => TrainError::Cost {
                step,
                question: id,
                fork: fork + 1,
                trace: trace + 1,
                value: costs.at(fork, trace),
            },
            Self::TooManyTraces { traces, forks } => {
                TrainError::TooManyTraces { question: id, traces, forks }
            }
        }
    }
}

/// Kuhn-Munkres on fixed-point costs, in which some traces are already fixed to a fork.
struct Solver {
    /// `[traces, forks]`: the algorithm needs at least as many columns as rows.
    weights: Matrix<i128>,
    /// Weight of a pair that is ruled out, above the total of any map without such pairs whose costs occur in practice.
    forbidden: i128,
}

/// Fraction bits of a fixed-point cost. A finite f32 up to [`LARGEST`] is exact down to 2^-64, so that sums are exact and do
/// not depend on the order of their terms: equal totals compare equal.
const FRACTION_BITS: i32 = 64;
/// Largest magnitude of a cost, in nats per token; larger ones count as equal to it. No model comes near.
const LARGEST: f64 = (1u64 << 40) as f64;
/// [`Solver::forbidden`] as a multiple of [`LARGEST`].
const FORBIDDEN: f64 = 4.0;

impl Solver {
    fn new(costs: &CostMatrix) -> Self {
        let fixed = |cost: f32| (f64::from(cost).clamp(-LARGEST, LARGEST) * 2f64.powi(FRACTION_BITS)) as i128;
        let cells = (0..costs.traces)
            .flat_map(|trace| (0..costs.forks).map(move |fork| fixed(costs.at(fork, trace))));
        let weights = Matrix::from_vec(costs.traces, costs.forks, cells.collect())
            .unwrap_or_else(|error| panic!("{} x {} costs: {error}", costs.forks, costs.traces));
        Self { weights, forbidden: ((LARGEST * FORBIDDEN) as i128) << FRACTION_BITS }
    }

    /// Total and forks of an optimal map.
    fn solve(&self) -> (i128, Vec<usize>) {
        kuhn_munkres_min(&self.weights)
    }

    /// Rules out every fork but `fork` for `trace`; returns the row as it was.
    fn fix(&mut self, trace: usize, fork: usize) -> Vec<i128> {
        let forks = self.weights.columns;
        let before: Vec<i128> = (0..forks).map(|column| self.weights[(trace, column)]).collect();
        for column in (0..forks).filter(|&column| column != fork) {
            self.weights[(trace, column)] = self.forbidden;
        }
        before
    }

    fn restore(&mut self, trace: usize, row: Vec<i128>) {
        for (column, weight) in row.into_iter().enumerate() {
            self.weights[(trace, column)] = weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ssft_data::random::{Stream, generator};

    fn matrix<const M: usize>(rows: &[[f32; M]]) -> CostMatrix {
        CostMatrix { forks: rows.len(), traces: M, values: rows.concat() }
    }

    /// All injective maps in lexicographic order; the first of least total (summed exactly) wins.
    fn brute_force(costs: &CostMatrix) -> Vec<usize> {
        fn extend(
            costs: &CostMatrix,
            map: &mut Vec<usize>,
            total: f64,
            best: &mut Option<(f64, Vec<usize>)>,
        ) {
            if map.len() == costs.traces {
                if best.as_ref().is_none_or(|(least, _)| total < *least) {
                    *best = Some((total, map.clone()));
                }
                return;
            }
            for fork in 0..costs.forks {
                if !map.contains(&fork) {
                    let cost = f64::from(costs.at(fork, map.len()));
                    map.push(fork);
                    extend(costs, map, total + cost, best);
                    map.pop();
                }
            }
        }
        let mut best = None;
        extend(costs, &mut Vec::new(), 0.0, &mut best);
        best.expect("N >= M has a map").1
    }

    #[test]
    fn by_hand() {
        // Greedy would give trace 0 its cheapest fork 0 and pay 9 for trace 1.
        let costs = matrix(&[[1.0, 2.0], [1.5, 9.0], [8.0, 9.0]]);
        assert_eq!(Assignment::optimal(&costs).expect("finite").forks, [1, 0]);
    }

    #[test]
    fn all_equal_costs_give_the_first_forks_in_order() {
        let costs = matrix(&[[0.5, 0.5, 0.5]; 5]);
        assert_eq!(Assignment::optimal(&costs).expect("finite").forks, [0, 1, 2]);
    }

    #[test]
    fn one_fork_and_one_trace() {
        assert_eq!(Assignment::optimal(&matrix(&[[3.0]])).expect("finite").forks, [0]);
    }

    #[test]
    fn nan_and_infinity_are_errors_not_matches() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Assignment::optimal(&matrix(&[[1.0, 2.0], [1.0, bad]])).expect_err("not finite");
            assert_eq!(error, MatchingError::NotFinite { fork: 1, trace: 1 });
            assert_eq!(error.to_string(), "the cost of trace 2 under fork 2 is not a finite number");
        }
    }

    #[test]
    fn more_traces_than_forks_is_an_error() {
        let error = Assignment::optimal(&matrix(&[[1.0, 2.0]])).expect_err("M > N");
        assert_eq!(error.to_string(), "2 traces cannot have different forks when there are only 1");
    }

    #[test]
    fn random_maps_are_injective_and_reach_every_fork() {
        let mut seen = [[false; 4]; 3];
        for step in 0..200 {
            let map = Assignment::random(4, 3, &mut generator(1, Stream::Assignment { step })).forks;
            for (trace, &fork) in map.iter().enumerate() {
                seen[trace][fork] = true;
                assert!(!map[..trace].contains(&fork));
            }
        }
        assert_eq!(seen, [[true; 4]; 3]);
    }

    proptest! {
        /// Costs from a few values (many ties), of all shapes with M <= N <= 6; quarters add up exactly in f64.
        #[test]
        fn equals_brute_force_with_ties((forks, traces, cells) in (1usize..=6).prop_flat_map(|forks| {
            (Just(forks), 1..=forks).prop_flat_map(|(forks, traces)| {
                (Just(forks), Just(traces), prop::collection::vec(0u8..5, forks * traces))
            })
        })) {
            let costs = CostMatrix { forks, traces, values: cells.iter().map(|&cell| f32::from(cell) / 4.0).collect() };
            prop_assert_eq!(Assignment::optimal(&costs).expect("finite").forks, brute_force(&costs));
        }

        /// Costs without structure: ties are rare, the optimum is what counts.
        #[test]
        fn equals_brute_force_without_ties(cells in prop::collection::vec(0f32..20.0, 24)) {
            let costs = CostMatrix { forks: 6, traces: 4, values: cells };
            prop_assert_eq!(Assignment::optimal(&costs).expect("finite").forks, brute_force(&costs));
        }
    }
}
