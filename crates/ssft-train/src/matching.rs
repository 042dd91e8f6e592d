//! The optimal matching: the injective map from traces to forks of least total cost.
//!
//! `s = argmin over injective s of sum_j C[s(j), j]` (arXiv 2510.05132, section 3), by Kuhn-Munkres.
//!
//! Ties are broken by a rule, so that the same matrix always gives the same matching: among optimal maps,
//! the one in which trace 0 has the lowest fork, then trace 1, and so on.

use crate::cost::CostMatrix;
use pathfinding::kuhn_munkres::kuhn_munkres_min;
use pathfinding::matrix::Matrix;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use thiserror::Error;

/// The fork of each trace, from 0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assignment {
    /// `forks[j]` is the fork of trace j.
    pub forks: Vec<usize>,
}

/// Why a matrix has no matching.
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
    /// No injective map exists.
    #[error("{traces} traces cannot have different forks when there are only {forks}")]
    TooManyTraces {
        /// M.
        traces: usize,
        /// N.
        forks: usize,
    },
}

impl Assignment {
    /// Every trace to fork 0: the arms without forks.
    pub fn all_to_first(traces: usize) -> Self {
        Self { forks: vec![0; traces] }
    }

    /// A uniformly random injective map.
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

    /// The map of least total cost; ties by the rule of this module.
    ///
    /// # Errors
    /// [`MatchingError`] if a cost is not finite or there are more traces than forks.
    pub fn optimal(costs: &CostMatrix) -> Result<Self, MatchingError> {
        let (forks, traces) = (costs.forks, costs.traces);
        if let Some((fork, trace)) = costs.not_finite() {
            return Err(MatchingError::NotFinite { fork, trace });
        }
        if traces > forks {
            return Err(MatchingError::TooManyTraces { traces, forks });
        }
        let mut search = Search::new(costs);
        let (optimum, mut assignment) = search.solve();
        for trace in 0..traces {
            for fork in 0..assignment[trace] {
                let undo = search.force(trace, fork);
                let (total, tied) = search.solve();
                if total == optimum {
                    assignment = tied;
                    break;
                }
                search.release(trace, undo);
            }
            search.force(trace, assignment[trace]);
        }
        Ok(Self { forks: assignment })
    }
}

/// Kuhn-Munkres on fixed-point costs, with some traces already tied to a fork.
struct Search {
    /// One row a trace, one column a fork: the solver wants no more rows than columns.
    weights: Matrix<i128>,
    forbidden: i128,
}

/// Costs become integers with 64 fraction bits. A finite f32 of magnitude up to 2^40 is exact down to 2^-64,
/// so sums are exact, independent of order, and equal totals are equal.
const FRACTION_BITS: i32 = 64;
/// Costs above this (in nats a token; no model comes near) count as equal to it.
const LARGEST: f64 = (1u64 << 40) as f64;

impl Search {
    fn new(costs: &CostMatrix) -> Self {
        let fixed = |cost: f32| (f64::from(cost).clamp(-LARGEST, LARGEST) * 2f64.powi(FRACTION_BITS)) as i128;
        let cells = (0..costs.traces)
            .flat_map(|trace| (0..costs.forks).map(move |fork| fixed(costs.at(fork, trace))));
        let weights = Matrix::from_vec(costs.traces, costs.forks, cells.collect())
            .unwrap_or_else(|error| panic!("{} x {} costs: {error}", costs.forks, costs.traces));
        Self { weights, forbidden: ((LARGEST * 4.0) as i128) << FRACTION_BITS }
    }

    fn solve(&self) -> (i128, Vec<usize>) {
        kuhn_munkres_min(&self.weights)
    }

    /// Leaves `trace` no choice but `fork`; returns its row as it was.
    fn force(&mut self, trace: usize, fork: usize) -> Vec<i128> {
        let forks = self.weights.columns;
        let before: Vec<i128> = (0..forks).map(|column| self.weights[(trace, column)]).collect();
        for column in (0..forks).filter(|&column| column != fork) {
            self.weights[(trace, column)] = self.forbidden;
        }
        before
    }

    fn release(&mut self, trace: usize, row: Vec<i128>) {
        for (column, weight) in row.into_iter().enumerate() {
            self.weights[(trace, column)] = weight;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, generator};
    use proptest::prelude::*;

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
            let map = Assignment::random(4, 3, &mut generator(1, Purpose::Assignment, step)).forks;
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
