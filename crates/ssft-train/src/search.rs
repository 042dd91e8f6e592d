//! The optimal matching without the whole matrix.
//!
//! A token's loss is never negative, so what a branch has cost over its first tokens bounds its cost from below. The
//! optimum over such bounds is no more than the true one; once all of its pairs are known to their last token, it is
//! the true one. Nor do ties make a difference: whatever else is optimal is so under the bounds too, and the rule of
//! [`crate::matching`] picked the first of all those. So only branches that may still change the optimum are extended.

use crate::cost::CostMatrix;
use crate::matching::{Assignment, MatchingError};

/// Losses of one question's pairs as far as they are known.
#[derive(Debug, Clone, PartialEq)]
pub struct PartialCosts {
    forks: usize,
    /// `min(L, T_j)` of each trace: tokens that enter its costs.
    lengths: Vec<usize>,
    /// How many tokens each trace begins with that another one begins with as well.
    shared: Vec<usize>,
    /// `[forks, traces]`: losses so far, in nats, added up token by token.
    sums: Vec<f64>,
    /// `[forks, traces]`: tokens so far.
    known: Vec<usize>,
}

/// A branch and how far it should be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extension {
    /// From 0.
    pub fork: usize,
    /// From 0.
    pub trace: usize,
    /// Tokens that are known already.
    pub known: usize,
    /// Tokens to be known afterwards.
    pub wanted: usize,
}

/// What to do next about a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This is the optimal matching.
    Proven(Assignment),
    /// This is very likely the optimal matching: every other one has already cost more than this one seems to in the
    /// end, and clearly more than this one so far. Whoever has to compute its branches anyway may do so now, and ask again.
    Likely(Assignment),
    /// Nothing can be said before these branches are known further.
    Extend(Vec<Extension>),
}

// The bounds decide what is optimal; all that follows decides only how many tokens are read until they do. Set by
// measurement: docs/benchmarks.md, lazy matching.

/// A branch is first read to the token by which its trace parts from the one most like it, but no more than so many
/// tokens: what two traces have in common does not tell the forks of one from those of the other.
const FIRST: usize = 16;
/// After that a pass reads it at most this many times as far,
const PACE: usize = 2;
/// .. and no further than this many times what seems to be missing at its rate so far.
const CAUTION: f64 = 2.0;
/// The last part of a branch, one in so many of its tokens, is not left for another pass.
const TAIL: usize = 4;
/// What a further token of a branch seems to cost, in parts of what its tokens so far did: the first ones are where forks
/// part ways, and cost more than the rest.
const REST: f64 = 0.15;
/// A matching that is less than so many nats ahead of another is not called likely.
const LEAD: f64 = 0.5;

impl PartialCosts {
    /// Nothing is known of the costs of `traces`, at most `match_tokens` of each of them, under `forks` forks.
    pub fn new(forks: usize, traces: &[&[u32]], match_tokens: usize) -> Self {
        let cells = forks * traces.len();
        let shared = |(index, trace): (usize, &&[u32])| {
            let others = traces.iter().enumerate().filter(|&(other, _)| other != index);
            others.map(|(_, other)| common_prefix(trace, other)).max().unwrap_or(0)
        };
        Self {
            forks,
            lengths: traces.iter().map(|trace| trace.len().min(match_tokens)).collect(),
            shared: traces.iter().enumerate().map(shared).collect(),
            sums: vec![0.0; cells],
            known: vec![0; cells],
        }
    }

    /// Takes the losses of the next tokens of a pair; more than enter its cost may be given.
    ///
    /// Rounding may leave a loss a little below 0, which would break the bound: it counts as 0. A NaN stays one.
    pub fn add(&mut self, fork: usize, trace: usize, losses: impl IntoIterator<Item = f32>) {
        let cell = self.cell(fork, trace);
        let missing = self.lengths[trace] - self.known[cell];
        for loss in losses.into_iter().take(missing) {
            self.sums[cell] += if loss < 0.0 { 0.0 } else { f64::from(loss) };
            self.known[cell] += 1;
        }
    }

    /// Takes the losses of a pair from another pass, from its first token on.
    pub fn replace(&mut self, fork: usize, trace: usize, losses: impl IntoIterator<Item = f32>) {
        let cell = self.cell(fork, trace);
        (self.sums[cell], self.known[cell]) = (0.0, 0);
        self.add(fork, trace, losses);
    }

    /// Tokens that enter the whole matrix, and those of them that are known.
    pub fn tokens(&self) -> (usize, usize) {
        (self.forks * self.lengths.iter().sum::<usize>(), self.known.iter().sum())
    }

    /// Everything but the first token of each pair, which comes with its fork.
    pub fn after_first(&self) -> Vec<Extension> {
        let pairs = (0..self.forks).flat_map(|fork| (0..self.lengths.len()).map(move |trace| (fork, trace)));
        let rest = |(fork, trace)| Extension { fork, trace, known: 1, wanted: self.lengths[trace] };
        pairs.map(rest).filter(|branch| branch.wanted > 1).collect()
    }

    /// What is not known yet of the pairs of a matching.
    pub fn missing_of(&self, assignment: &Assignment) -> Vec<Extension> {
        let pairs = assignment.forks.iter().enumerate();
        pairs.filter_map(|(trace, &fork)| self.extension(fork, trace, usize::MAX)).collect()
    }

    /// Twice as many more tokens of a branch, as far as there are any. The first ones stay as they are: they end where
    /// traces part, and up to there one reading serves all.
    pub fn further(&self, branch: Extension) -> Extension {
        if branch.known <= 1 {
            return branch;
        }
        let wanted = 2 * branch.wanted - branch.known;
        Extension { wanted: wanted.min(self.lengths[branch.trace]), ..branch }
    }

    /// Mean losses in nats a token, of all pairs: costs where a pair is known, lower bounds elsewhere.
    pub fn bounds(&self) -> CostMatrix {
        let traces = self.lengths.len();
        let mean = |(cell, &sum): (usize, &f64)| (sum / self.lengths[cell % traces] as f64) as f32;
        CostMatrix { forks: self.forks, traces, values: self.sums.iter().enumerate().map(mean).collect() }
    }

    /// What the bounds say.
    ///
    /// # Errors
    /// [`MatchingError`] if a loss is not finite or there are more traces than forks.
    pub fn next(&self) -> Result<Next, MatchingError> {
        let bounds = self.bounds();
        let best = Assignment::optimal(&bounds)?;
        let pairs = || best.forks.iter().copied().enumerate();
        if pairs().all(|(trace, fork)| self.is_whole(fork, trace)) {
            return Ok(Next::Proven(best));
        }
        let least = self.least_totals(&bounds);
        let wanted = match self.ceiling(&bounds)? {
            Some(ceiling) => self.below(ceiling, &least),
            None => self.contested(&bounds, &best, &least),
        };
        Ok(if wanted.is_empty() { Next::Likely(best) } else { Next::Extend(wanted) })
    }

    /// The total cost of the best matching among those whose branches are known to the end, if there is any: the
    /// optimum costs no more.
    fn ceiling(&self, bounds: &CostMatrix) -> Result<Option<f64>, MatchingError> {
        // More than any matching can cost, and finite.
        let never = 1e6 + bounds.values.iter().sum::<f32>();
        let whole = |(&cost, (&known, cell)): (&f32, (&usize, usize))| {
            if known == self.lengths[cell % self.lengths.len()] { cost } else { never }
        };
        let values = bounds.values.iter().zip(self.known.iter().zip(0..)).map(whole).collect();
        let whole = CostMatrix { values, ..*bounds };
        let best = Assignment::optimal(&whole)?;
        let total: f64 =
            best.forks.iter().enumerate().map(|(trace, &fork)| f64::from(whole.at(fork, trace))).sum();
        Ok((total < f64::from(never)).then_some(total))
    }

    /// Branches that may be part of a matching of a total cost of `ceiling` or less.
    fn below(&self, ceiling: f64, least: &[f64]) -> Vec<Extension> {
        let may_be = |cell: usize| {
            let (fork, trace) = (cell / self.lengths.len(), cell % self.lengths.len());
            let missing = (ceiling - least[cell]) * self.lengths[trace] as f64;
            (missing >= 0.0).then(|| self.extension(fork, trace, self.reach(fork, trace, missing))).flatten()
        };
        (0..least.len()).filter_map(may_be).collect()
    }

    /// Branches that seem able to change the matching, and those of the matching itself that they compete with: two
    /// branches of a trace are compared over the same tokens.
    fn contested(&self, bounds: &CostMatrix, best: &Assignment, least: &[f64]) -> Vec<Extension> {
        let pairs = || best.forks.iter().copied().enumerate();
        let total: f64 = pairs().map(|(trace, fork)| f64::from(bounds.at(fork, trace))).sum();
        let forecast: f64 = pairs().map(|(trace, fork)| self.forecast(fork, trace)).sum();
        let mut wanted = vec![0; least.len()];
        for cell in 0..least.len() {
            let (fork, trace) = (cell / self.lengths.len(), cell % self.lengths.len());
            let own = best.forks[trace];
            let length = self.lengths[trace] as f64;
            let missing = ((forecast - least[cell]) * length).max(LEAD - (least[cell] - total) * length);
            if fork != own && missing >= 0.0 {
                let reach = self.reach(fork, trace, missing);
                wanted[cell] = reach;
                let own = self.cell(own, trace);
                wanted[own] = reach.max(wanted[own]);
            }
        }
        let extension = |(cell, &wanted): (usize, &usize)| {
            self.extension(cell / self.lengths.len(), cell % self.lengths.len(), wanted)
        };
        wanted.iter().enumerate().filter_map(extension).collect()
    }

    /// For each pair, what a matching with it costs at least: every other trace has its cheapest fork, whether two
    /// traces share it or not.
    fn least_totals(&self, bounds: &CostMatrix) -> Vec<f64> {
        let traces = self.lengths.len();
        let at = |fork: usize, trace: usize| f64::from(bounds.at(fork, trace));
        let least = |fork: usize, trace: usize| {
            (0..self.forks)
                .filter(|&other| other != fork)
                .map(|other| at(other, trace))
                .fold(f64::MAX, f64::min)
        };
        let total = |fork: usize, trace: usize| {
            let others = (0..traces).filter(|&other| other != trace).map(|other| least(fork, other));
            at(fork, trace) + others.sum::<f64>()
        };
        (0..self.forks)
            .flat_map(|fork| (0..traces).map(move |trace| (fork, trace)))
            .map(|(fork, trace)| total(fork, trace))
            .collect()
    }

    /// What a pair seems to cost in the end, in nats a token.
    fn forecast(&self, fork: usize, trace: usize) -> f64 {
        let cell = self.cell(fork, trace);
        let (known, length) = (self.known[cell].max(1) as f64, self.lengths[trace] as f64);
        self.sums[cell] / known * (known + REST * (length - known)) / length
    }

    /// How far to read a branch that seems to be out once it has cost `missing` nats more.
    fn reach(&self, fork: usize, trace: usize, missing: f64) -> usize {
        let cell = self.cell(fork, trace);
        let (known, parting) = (self.known[cell], (self.shared[trace] + 1).min(FIRST));
        let reach = if known < parting {
            parting
        } else {
            let tokens = (CAUTION * missing * known as f64 / self.sums[cell]).ceil();
            // No tokens for nothing, and as many as there may be at no cost at all (the cast saturates).
            known + (tokens as usize).clamp(1, (PACE - 1) * known)
        };
        let length = self.lengths[trace];
        if reach + length / TAIL >= length { length } else { reach }
    }

    fn is_whole(&self, fork: usize, trace: usize) -> bool {
        self.known[self.cell(fork, trace)] == self.lengths[trace]
    }

    /// The branch known up to `wanted` tokens, or as many as it has; nothing if it is already.
    fn extension(&self, fork: usize, trace: usize, wanted: usize) -> Option<Extension> {
        let known = self.known[self.cell(fork, trace)];
        let wanted = wanted.min(self.lengths[trace]);
        (known < wanted).then_some(Extension { fork, trace, known, wanted })
    }

    fn cell(&self, fork: usize, trace: usize) -> usize {
        fork * self.lengths.len() + trace
    }
}

/// Tokens that two traces begin with.
fn common_prefix(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Losses of every token of every pair: `[forks][traces][tokens]`.
    type Losses = Vec<Vec<Vec<f32>>>;

    /// Traces of which any two begin with the same tokens, where they are no longer than that.
    fn traces(lengths: &[usize]) -> Vec<Vec<u32>> {
        let token = |trace: usize, at: usize| if at < 3 { 0 } else { trace as u32 };
        let tokens = |(trace, &length): (usize, &usize)| (0..length).map(|at| token(trace, at)).collect();
        lengths.iter().enumerate().map(tokens).collect()
    }

    fn unknown(forks: usize, lengths: &[usize]) -> PartialCosts {
        let traces = traces(lengths);
        PartialCosts::new(forks, &traces.iter().map(Vec::as_slice).collect::<Vec<_>>(), usize::MAX)
    }

    fn start(losses: &Losses) -> PartialCosts {
        let lengths: Vec<usize> = losses[0].iter().map(Vec::len).collect();
        let mut costs = unknown(losses.len(), &lengths);
        for (fork, of_fork) in losses.iter().enumerate() {
            for (trace, tokens) in of_fork.iter().enumerate() {
                costs.add(fork, trace, tokens[..1].iter().copied());
            }
        }
        costs
    }

    /// Searches to the end. With `lucky`, the branches of a likely matching come from elsewhere at once.
    fn search(losses: &Losses, lucky: bool) -> (Assignment, PartialCosts) {
        let mut costs = start(losses);
        loop {
            match costs.next().expect("finite") {
                Next::Proven(assignment) => return (assignment, costs),
                Next::Likely(assignment) => {
                    for (trace, &fork) in assignment.forks.iter().enumerate() {
                        let known = costs.known[costs.cell(fork, trace)];
                        if lucky {
                            costs.replace(fork, trace, losses[fork][trace].iter().copied());
                        } else {
                            costs.add(fork, trace, losses[fork][trace][known..].iter().copied());
                        }
                    }
                }
                Next::Extend(wanted) => {
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
        Assignment::optimal(&costs.bounds()).expect("finite")
    }

    #[test]
    fn clear_forks_are_not_read_to_the_end() {
        // Fork i writes trace i for nothing and any other at 3 nats a token.
        let losses: Losses = (0..6)
            .map(|fork| (0..4).map(|trace| vec![if fork == trace { 0.0 } else { 3.0 }; 32]).collect())
            .collect();
        let (assignment, costs) = search(&losses, true);
        assert_eq!(assignment.forks, [0, 1, 2, 3]);
        assert_eq!(costs.tokens(), (6 * 4 * 32, 4 * 32 + 20), "one token of each pair that is not matched");
    }

    #[test]
    fn a_branch_that_starts_badly_can_still_win() {
        let mut losses: Losses = vec![vec![vec![0.1; 40]], vec![vec![0.1; 40]]];
        losses[0][0][39] = 50.0;
        losses[1][0][0] = 5.0;
        for lucky in [false, true] {
            assert_eq!(search(&losses, lucky).0.forks, [1]);
        }
    }

    #[test]
    fn losses_below_zero_count_as_zero_and_nan_is_an_error() {
        let mut costs = unknown(1, &[2]);
        costs.add(0, 0, [-1e-7, 4.0, 9.0]);
        assert_eq!(costs.bounds().values, [2.0]);
        assert_eq!(costs.next(), Ok(Next::Proven(Assignment { forks: vec![0] })));
        costs.replace(0, 0, [f32::NAN]);
        assert_eq!(costs.next(), Err(MatchingError::NotFinite { fork: 0, trace: 0 }));
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
            prop_assert_eq!(search(&losses, false).0, full(&losses));
            prop_assert_eq!(search(&losses, true).0, full(&losses));
        }

        /// Few values, so that many totals are equal and the rule decides.
        #[test]
        fn equals_the_full_matrix_with_ties(losses in table((0u8..3).prop_map(f32::from))) {
            prop_assert_eq!(search(&losses, false).0, full(&losses));
            prop_assert_eq!(search(&losses, true).0, full(&losses));
        }

        /// Forks that each know some traces, as trained ones do.
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
            prop_assert_eq!(search(&losses, true).0, full(&losses));
        }
    }
}
