//! What to compute next for a question whose optimal matching is not proven yet.
//!
//! # Example: 2 forks, 2 traces of 3 tokens
//!
//! The losses of the example of [`crate::bounds`]. The first token of every pair is known:
//!
//! ```text
//!          trace 1        trace 2             bounds
//! fork 1   0.2 ?  ?       2.0 ?  ?            0.067  0.667
//! fork 2   1.8 ?  ?       0.3 ?  ?            0.6    0.1
//! ```
//!
//! 1. The optimum of the bounds is 1 -> 1, 2 -> 2 with 0.167. It is not proven: its pairs have unknown losses.
//! 2. Forecast: an unknown loss is taken as 0.15 times the mean of the known ones, so the matching should end at
//!    (0.2 + 0.3) x (1 + 2 x 0.15) / 3 = 0.217. The other matching costs at least 1.267 already.
//! 3. So the verdict is [`Verdict::Likely`]: compute the four unknown losses of this matching (the training pass does), and
//!    ask again. The bounds are then those of the example of [`crate::bounds`], and the verdict is [`Verdict::Proven`].
//!
//! If the last loss of (fork 1, trace 1) is 9.0 instead of 0.3, the likely matching turns out to cost 3.1 + 0.3 = 3.4. The
//! bound of the other one, 1.267, is below that, so the verdict is [`Verdict::Extend`] with its two branches, one token
//! further each (at most twice the known tokens). The bound is then 1.0 + 1.167 = 2.167, still below 3.4; after one more
//! token the other matching costs 1.3 + 1.5 = 2.8 and is proven.
//!
//! Only the proof of [`crate::bounds`] decides which matching is optimal. The constants here decide how many tokens are
//! computed before it succeeds; they were set by measurement (docs/benchmarks.md, lazy matching).

use crate::bounds::CostBounds;
use crate::cost::CostMatrix;
use crate::matching::{Assignment, MatchingError};

/// A branch (a trace under a fork), and the tokens up to which its losses are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// From 0.
    pub fork: usize,
    /// From 0.
    pub trace: usize,
    /// Number of losses that are known.
    pub known: usize,
    /// Number of losses to be known afterwards, more than `known`.
    pub wanted: usize,
}

impl Extension {
    /// Number of losses to compute.
    pub fn tokens(&self) -> usize {
        self.wanted - self.known
    }
}

/// What the bounds of a question say about its optimal matching.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// The optimal matching.
    Proven(Assignment),
    /// Probably the optimal matching. Every pair outside it either has no unknown loss, or is only in matchings whose least total
    /// is above the forecast of this matching and above its bound by a margin. Next: compute the unknown losses of its pairs.
    Likely(Assignment),
    /// Undecided. Next: compute these branches.
    Extend(Vec<Extension>),
}

/// Largest number of known losses after the first extension of a branch, before [`TAIL`] applies. The first extension ends where the trace differs from the trace
/// most similar to it, since a shared prefix does not tell which fork suits which of the two.
const FIRST: usize = 16;
/// Later extensions end at this multiple of the known losses, at most, before [`TAIL`] and `lazy::enlarge` apply.
const PACE: usize = 2;
/// Later extensions add at most this multiple of the tokens that are needed to rule the branch out, at its mean loss so far.
const CAUTION: f64 = 2.0;
/// An extension that would leave at most 1 / `TAIL` of the branch goes to its end: of 40 tokens, one that reaches token 30.
const TAIL: usize = 4;
/// Forecast of an unknown loss, as a multiple of the mean of the known ones. The first tokens are where forks differ; they
/// cost more than the others.
const REST: f64 = 0.15;
/// Least difference between the bounds of a likely matching and of any other, in nats summed over the trace of the pair.
const MARGIN: f64 = 0.5;

impl CostBounds {
    /// The verdict of the losses known so far.
    ///
    /// # Errors
    /// [`MatchingError`] if a loss is not finite or there are more traces than forks.
    pub fn verdict(&self) -> Result<Verdict, MatchingError> {
        let bounds = self.matrix();
        let best = Assignment::optimal(&bounds)?;
        if best.pairs().all(|(fork, trace)| self.is_whole(fork, trace)) {
            return Ok(Verdict::Proven(best));
        }
        let least = self.least_totals(&bounds);
        let wanted = match self.ceiling(&bounds)? {
            Some(ceiling) => self.below(ceiling, &least),
            None => self.contested(&bounds, &best, &least),
        };
        Ok(if wanted.is_empty() { Verdict::Likely(best) } else { Verdict::Extend(wanted) })
    }

    /// All branches from their second token on: the first loss is predicted by the lead of the fork.
    pub(crate) fn after_first(&self) -> Vec<Extension> {
        let rest = |cell| {
            let (fork, trace) = self.pair(cell);
            Extension { fork, trace, known: 1, wanted: self.lengths[trace] }
        };
        (0..self.known.len()).map(rest).filter(|branch| branch.wanted > 1).collect()
    }

    /// The unknown parts of the branches of a matching.
    pub(crate) fn missing_of(&self, assignment: &Assignment) -> Vec<Extension> {
        assignment.pairs().filter_map(|(fork, trace)| self.extension(fork, trace, usize::MAX)).collect()
    }

    /// The extension with twice its tokens, up to the end of the branch. A first extension stays as it is: up to where traces
    /// differ, one run of tokens serves several of them.
    pub(crate) fn doubled(&self, branch: Extension) -> Extension {
        if branch.known <= 1 {
            return branch;
        }
        let wanted = branch.wanted + branch.tokens();
        Extension { wanted: wanted.min(self.lengths[branch.trace]), ..branch }
    }

    /// Branches that may be part of a matching of total cost `ceiling` or less.
    fn below(&self, ceiling: f64, least: &[f64]) -> Vec<Extension> {
        let extension = |cell: usize| {
            let (fork, trace) = self.pair(cell);
            let missing = (ceiling - least[cell]) * self.lengths[trace] as f64;
            (missing >= 0.0).then(|| self.extension(fork, trace, self.reach(fork, trace, missing))).flatten()
        };
        (0..least.len()).filter_map(extension).collect()
    }

    /// Pairs outside `best` whose least total is not yet above the forecast of `best` and above its bound by [`MARGIN`]; for each
    /// also the pair of `best` of the same trace, up to the same token, so that both are compared over the same tokens.
    ///
    /// Totals are in nats per token of a trace; `missing` is what the losses of the branch still have to add, in nats: the larger of
    /// `(forecast - least) * length` and `MARGIN - (least - total) * length`.
    fn contested(&self, bounds: &CostMatrix, best: &Assignment, least: &[f64]) -> Vec<Extension> {
        let total = best.total(bounds);
        let forecast: f64 = best.pairs().map(|(fork, trace)| self.forecast(fork, trace)).sum();
        let mut wanted = vec![0; least.len()];
        for cell in 0..least.len() {
            let (fork, trace) = self.pair(cell);
            let own = best.forks[trace];
            let length = self.lengths[trace] as f64;
            let missing = ((forecast - least[cell]) * length).max(MARGIN - (least[cell] - total) * length);
            if fork != own && missing >= 0.0 {
                let reach = self.reach(fork, trace, missing);
                wanted[cell] = reach;
                let own = self.cell(own, trace);
                wanted[own] = reach.max(wanted[own]);
            }
        }
        let extension = |(cell, &wanted): (usize, &usize)| {
            let (fork, trace) = self.pair(cell);
            self.extension(fork, trace, wanted)
        };
        wanted.iter().enumerate().filter_map(extension).collect()
    }

    /// Forecast of the cost of a pair, in nats per token.
    fn forecast(&self, fork: usize, trace: usize) -> f64 {
        let cell = self.cell(fork, trace);
        let (known, length) = (self.known[cell].max(1) as f64, self.lengths[trace] as f64);
        self.sums[cell] / known * (known + REST * (length - known)) / length
    }

    /// Number of tokens up to which a branch is extended, if `missing` more nats rule it out.
    fn reach(&self, fork: usize, trace: usize, missing: f64) -> usize {
        let cell = self.cell(fork, trace);
        let (known, parting) = (self.known[cell], (self.shared[trace] + 1).min(FIRST));
        let reach = if known < parting {
            parting
        } else {
            let tokens = (CAUTION * missing * known as f64 / self.sums[cell]).ceil();
            // At least one token. The cast saturates if the losses so far are 0.
            known + (tokens as usize).clamp(1, (PACE - 1) * known)
        };
        let length = self.lengths[trace];
        if reach + length / TAIL >= length { length } else { reach }
    }

    /// The branch extended to `wanted` tokens or to its end; `None` if that much is known.
    fn extension(&self, fork: usize, trace: usize, wanted: usize) -> Option<Extension> {
        let known = self.known[self.cell(fork, trace)];
        let wanted = wanted.min(self.lengths[trace]);
        (known < wanted).then_some(Extension { fork, trace, known, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Losses of every token of every pair: `[forks][traces][tokens]`.
    type Losses = Vec<Vec<Vec<f32>>>;

    /// Traces that share their first three tokens and differ afterwards.
    fn traces(lengths: &[usize]) -> Vec<Vec<u32>> {
        let token = |trace: usize, at: usize| if at < 3 { 0 } else { trace as u32 };
        let tokens = |(trace, &length): (usize, &usize)| (0..length).map(|at| token(trace, at)).collect();
        lengths.iter().enumerate().map(tokens).collect()
    }

    fn unknown(forks: usize, lengths: &[usize]) -> CostBounds {
        let traces = traces(lengths);
        CostBounds::new(forks, &traces.iter().map(Vec::as_slice).collect::<Vec<_>>(), usize::MAX)
    }

    fn start(losses: &Losses) -> CostBounds {
        let lengths: Vec<usize> = losses[0].iter().map(Vec::len).collect();
        let mut costs = unknown(losses.len(), &lengths);
        for (fork, of_fork) in losses.iter().enumerate() {
            for (trace, tokens) in of_fork.iter().enumerate() {
                costs.add(fork, trace, tokens[..1].iter().copied());
            }
        }
        costs
    }

    /// Where the losses of a likely matching come from.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Source {
        Extensions,
        TrainingPass,
    }

    /// Follows the verdicts to the proof. With `TrainingPass`, all losses of a likely matching come at once.
    fn prove(losses: &Losses, source: Source) -> (Assignment, CostBounds) {
        let mut costs = start(losses);
        loop {
            match costs.verdict().expect("finite") {
                Verdict::Proven(assignment) => return (assignment, costs),
                Verdict::Likely(assignment) => {
                    for (fork, trace) in assignment.pairs() {
                        let known = costs.known[costs.cell(fork, trace)];
                        let all = losses[fork][trace].iter().copied();
                        match source {
                            Source::TrainingPass => costs.replace(fork, trace, all),
                            Source::Extensions => costs.add(fork, trace, all.skip(known)),
                        }
                    }
                }
                Verdict::Extend(wanted) => {
                    assert!(!wanted.is_empty());
                    for Extension { fork, trace, known, wanted } in wanted {
                        assert!(known < wanted && known == costs.known[costs.cell(fork, trace)]);
                        costs.add(fork, trace, losses[fork][trace][known..wanted].iter().copied());
                    }
                }
            }
        }
    }

    fn full(losses: &Losses) -> Assignment {
        let mut costs = start(losses);
        for Extension { fork, trace, known, wanted } in costs.after_first() {
            assert_eq!(wanted, losses[fork][trace].len());
            costs.add(fork, trace, losses[fork][trace][known..].iter().copied());
        }
        Assignment::optimal(&costs.matrix()).expect("finite")
    }

    #[test]
    fn clear_forks_are_not_read_to_the_end() {
        // Fork i predicts trace i with certainty and any other at 3 nats per token.
        let losses: Losses = (0..6)
            .map(|fork| (0..4).map(|trace| vec![if fork == trace { 0.0 } else { 3.0 }; 32]).collect())
            .collect();
        let (assignment, costs) = prove(&losses, Source::TrainingPass);
        assert_eq!(assignment.forks, [0, 1, 2, 3]);
        assert_eq!(costs.tokens(), 6 * 4 * 32);
        assert_eq!(costs.known_tokens(), 4 * 32 + 20, "one token of each pair that is not matched");
    }

    /// The example at the top of this file.
    #[test]
    fn the_example_is_likely_after_its_first_tokens() {
        let mut losses: Losses = vec![
            vec![vec![0.2, 0.1, 0.3], vec![2.0, 1.5, 1.0]],
            vec![vec![1.8, 1.2, 0.9], vec![0.3, 0.3, 0.3]],
        ];
        let mut costs = CostBounds::new(2, &[&[1, 2, 3], &[4, 5, 6]], usize::MAX);
        for (fork, trace) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            costs.add(fork, trace, [losses[fork][trace][0]]);
        }
        let likely = Assignment { forks: vec![0, 1] };
        assert_eq!(costs.verdict(), Ok(Verdict::Likely(likely.clone())));
        let mut right = costs.clone();
        right.replace(0, 0, losses[0][0].clone());
        right.replace(1, 1, losses[1][1].clone());
        assert_eq!(right.verdict(), Ok(Verdict::Proven(likely)));

        losses[0][0][2] = 9.0;
        costs.replace(0, 0, losses[0][0].clone());
        costs.replace(1, 1, losses[1][1].clone());
        for known in [1, 2] {
            let next = |fork, trace| Extension { fork, trace, known, wanted: known + 1 };
            assert_eq!(costs.verdict(), Ok(Verdict::Extend(vec![next(0, 1), next(1, 0)])));
            costs.add(0, 1, [losses[0][1][known]]);
            costs.add(1, 0, [losses[1][0][known]]);
        }
        assert_eq!(costs.verdict(), Ok(Verdict::Proven(Assignment { forks: vec![1, 0] })));
    }

    #[test]
    fn a_branch_that_starts_badly_can_still_win() {
        let mut losses: Losses = vec![vec![vec![0.1; 40]], vec![vec![0.1; 40]]];
        losses[0][0][39] = 50.0;
        losses[1][0][0] = 5.0;
        for source in [Source::Extensions, Source::TrainingPass] {
            assert_eq!(prove(&losses, source).0.forks, [1]);
        }
    }

    #[test]
    fn losses_below_zero_count_as_zero_and_nan_is_an_error() {
        let mut costs = unknown(1, &[2]);
        costs.add(0, 0, [-1e-7, 4.0, 9.0]);
        assert_eq!(costs.matrix().values, [2.0]);
        assert_eq!(costs.verdict(), Ok(Verdict::Proven(Assignment { forks: vec![0] })));
        costs.replace(0, 0, [f32::NAN]);
        assert_eq!(costs.verdict(), Err(MatchingError::NotFinite { fork: 0, trace: 0 }));
    }

    fn table(loss: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = Losses> {
        (1usize..=5).prop_flat_map(move |forks| {
            let loss = loss.clone();
            (1..=forks.min(4), Just(forks)).prop_flat_map(move |(traces, forks)| {
                let loss = loss.clone();
                prop::collection::vec(1usize..=20, traces).prop_flat_map(move |lengths| {
                    let row: Vec<_> =
                        lengths.iter().map(|&length| prop::collection::vec(loss.clone(), length)).collect();
                    prop::collection::vec(row, forks)
                })
            })
        })
    }

    proptest! {
        #[test]
        fn equals_the_full_matrix(losses in table(0f32..5.0)) {
            prop_assert_eq!(prove(&losses, Source::Extensions).0, full(&losses));
            prop_assert_eq!(prove(&losses, Source::TrainingPass).0, full(&losses));
        }

        /// Few distinct values, so that many totals are equal and the tie rule decides.
        #[test]
        fn equals_the_full_matrix_with_ties(losses in table((0u8..3).prop_map(f32::from))) {
            prop_assert_eq!(prove(&losses, Source::Extensions).0, full(&losses));
            prop_assert_eq!(prove(&losses, Source::TrainingPass).0, full(&losses));
        }

        /// Forks that each predict one trace well, as after training.
        #[test]
        fn equals_the_full_matrix_of_trained_forks(
            mut losses in table(0f32..0.2),
            own in prop::collection::vec(0usize..4, 5),
        ) {
            for (fork, of_fork) in losses.iter_mut().enumerate() {
                for (trace, tokens) in of_fork.iter_mut().enumerate() {
                    if own[fork] != trace {
                        tokens.iter_mut().step_by(3).for_each(|loss| *loss += 3.0);
                    }
                }
            }
            prop_assert_eq!(prove(&losses, Source::TrainingPass).0, full(&losses));
        }
    }
}
