//! Lower bounds of the costs of one question: the optimal matching is proven before all losses are known.
//!
//! # Example: 2 forks, 2 traces of 3 tokens
//!
//! Loss (negative log-likelihood, nats) of each token, and the cost of each pair, the mean over its tokens:
//!
//! ```text
//!          trace 1              trace 2
//! fork 1   0.2 0.1 0.3 -> 0.2   2.0 1.5 1.0 -> 1.5        costs  0.2 1.5
//! fork 2   1.8 1.2 0.9 -> 1.3   0.3 0.3 0.3 -> 0.3               1.3 0.3
//! ```
//!
//! Let the first token of every pair be known, and all tokens of the pairs (fork 1, trace 1) and (fork 2, trace 2). The
//! bound of a pair is the sum of its known losses divided by 3:
//!
//! ```text
//! bounds   0.2       2.0 / 3              0.2   0.667
//!          1.8 / 3   0.3          =       0.6   0.3
//! ```
//!
//! The matching 1 -> 1, 2 -> 2 costs exactly 0.2 + 0.3 = 0.5. The other one costs at least 0.6 + 0.667 = 1.267, for any
//! values of its four unknown losses. So the first matching is optimal, proven with 8 of the 12 losses.
//!
//! # Proof
//!
//! `C` are the costs, `B` the bounds, `C(s)` and `B(s)` the totals of a matching `s`.
//!
//! 1. A loss is never negative, so `B[i,j] <= C[i,j]`, with equality if all tokens of the pair are known.
//! 2. Let `s` be an optimal matching of `B` whose pairs are all known. For every matching `t`:
//!    `C(s) = B(s) <= B(t) <= C(t)`. So `s` is optimal for `C`.
//! 3. Ties: if `C(t) = C(s)`, then step 2 gives `B(t) = B(s)`. So every optimum of `C` is an optimum of `B`. The tie rule of
//!    [`crate::matching`] chose `s` among all optima of `B`; `s` is an optimum of `C`, so the rule chooses it there too.
//! 4. Rounding: sums of non-negative numbers, a division by a constant and the conversion to f32 keep `<=`, so step 1 holds
//!    for the rounded numbers; totals are exact (fixed point).
//! 5. `C` are the losses as stored. Passes of other sizes round differently, and [`CostBounds::replace`] stores the losses of a
//!    training pass, so matchings whose totals differ by rounding alone can be ordered otherwise than by the full matrix.

use crate::cost::CostMatrix;
use crate::matching::{Assignment, MatchingError};

/// Known losses of the pairs of one question.
///
/// ```
/// use ssft_train::bounds::CostBounds;
///
/// // One fork, one trace of two tokens: after a first loss of 3 nats the mean is at least 1.5.
/// let mut bounds = CostBounds::new(1, &[&[7, 8]], usize::MAX);
/// bounds.add(0, 0, [3.0]);
/// assert_eq!(bounds.matrix().values, [1.5]);
/// bounds.add(0, 0, [1.0]);
/// assert_eq!(bounds.matrix().values, [2.0]);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CostBounds {
    forks: usize,
    /// `[traces]`: `min(L, T_j)`, the tokens that enter a cost.
    pub(crate) lengths: Vec<usize>,
    /// `[traces]`: length of the longest prefix that the trace shares with another trace of the question.
    pub(crate) shared: Vec<usize>,
    /// `[forks, traces]`: sums of the known losses, in nats.
    pub(crate) sums: Vec<f64>,
    /// `[forks, traces]`: number of known losses.
    pub(crate) known: Vec<usize>,
}

/// In the search for a ceiling, a pair with unknown losses costs this plus the sum of all bounds: more than any matching of known pairs.
const ABOVE_ANY_TOTAL: f32 = 1e6;

impl CostBounds {
    /// No loss known, for `traces` (of each at most the first `match_tokens` tokens) under `forks` forks.
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

    /// Adds the losses of the next tokens of a pair; those behind the last token that enters the cost are ignored.
    ///
    /// A loss slightly below 0, from rounding, counts as 0: the proof needs non-negative losses. NaN stays NaN.
    pub fn add(&mut self, fork: usize, trace: usize, losses: impl IntoIterator<Item = f32>) {
        let cell = self.cell(fork, trace);
        let missing = self.lengths[trace] - self.known[cell];
        for loss in losses.into_iter().take(missing) {
            self.sums[cell] += if loss < 0.0 { 0.0 } else { f64::from(loss) };
            self.known[cell] += 1;
        }
    }

    /// Replaces the losses of a pair by those of another pass, from the first token on.
    pub fn replace(&mut self, fork: usize, trace: usize, losses: impl IntoIterator<Item = f32>) {
        let cell = self.cell(fork, trace);
        (self.sums[cell], self.known[cell]) = (0.0, 0);
        self.add(fork, trace, losses);
    }

    /// Number of losses in the whole matrix.
    pub fn tokens(&self) -> usize {
        self.forks * self.lengths.iter().sum::<usize>()
    }

    /// Number of known losses.
    pub fn known_tokens(&self) -> usize {
        self.known.iter().sum()
    }

    /// The bounds, in nats per token: the cost of every pair that is known to its end, a lower bound of the others.
    pub fn matrix(&self) -> CostMatrix {
        let traces = self.lengths.len();
        let mean = |(cell, &sum): (usize, &f64)| (sum / self.lengths[cell % traces] as f64) as f32;
        CostMatrix { forks: self.forks, traces, values: self.sums.iter().enumerate().map(mean).collect() }
    }

    /// True if all losses of a pair are known, so that its bound is its cost.
    pub fn is_whole(&self, fork: usize, trace: usize) -> bool {
        self.known[self.cell(fork, trace)] == self.lengths[trace]
    }

    /// Upper bound of the optimal total: the best matching of pairs that are known to their ends, or `None` if those allow no
    /// matching. `bounds` is [`CostBounds::matrix`].
    pub(crate) fn ceiling(&self, bounds: &CostMatrix) -> Result<Option<f64>, MatchingError> {
        let excluded = ABOVE_ANY_TOTAL + bounds.values.iter().sum::<f32>();
        let cost = |cell: usize| {
            let (fork, trace) = self.pair(cell);
            if self.is_whole(fork, trace) { bounds.values[cell] } else { excluded }
        };
        let whole = CostMatrix { values: (0..bounds.values.len()).map(cost).collect(), ..*bounds };
        let total = Assignment::optimal(&whole)?.total(&whole);
        Ok((total < f64::from(excluded)).then_some(total))
    }

    /// `[forks, traces]`: lower bound of the total of a matching that contains the pair: the bound of the pair, plus for every
    /// other trace the least bound under another fork. Two traces may use the same fork there, so no matching may reach it.
    pub(crate) fn least_totals(&self, bounds: &CostMatrix) -> Vec<f64> {
        let at = |fork: usize, trace: usize| f64::from(bounds.at(fork, trace));
        let least = |fork: usize, trace: usize| {
            let others = (0..self.forks).filter(|&other| other != fork);
            others.map(|other| at(other, trace)).fold(f64::MAX, f64::min)
        };
        let total = |cell: usize| {
            let (fork, trace) = self.pair(cell);
            let others = (0..self.lengths.len()).filter(|&other| other != trace);
            at(fork, trace) + others.map(|other| least(fork, other)).sum::<f64>()
        };
        (0..self.sums.len()).map(total).collect()
    }

    /// Index of a pair in row-major lists.
    pub(crate) fn cell(&self, fork: usize, trace: usize) -> usize {
        fork * self.lengths.len() + trace
    }

    /// (fork, trace) of an index in row-major lists.
    pub(crate) fn pair(&self, cell: usize) -> (usize, usize) {
        (cell / self.lengths.len(), cell % self.lengths.len())
    }
}

/// Number of tokens that both traces begin with.
fn common_prefix(one: &[u32], other: &[u32]) -> usize {
    one.iter().zip(other).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the example at the top of this file.
    #[test]
    fn the_example_is_proven_with_8_of_12_losses() {
        let mut bounds = CostBounds::new(2, &[&[1, 2, 3], &[4, 5, 6]], usize::MAX);
        bounds.add(0, 0, [0.2, 0.1, 0.3]);
        bounds.add(0, 1, [2.0]);
        bounds.add(1, 0, [1.8]);
        bounds.add(1, 1, [0.3, 0.3, 0.3]);
        assert_eq!((bounds.known_tokens(), bounds.tokens()), (8, 12));
        let matrix = bounds.matrix();
        for (found, expected) in matrix.values.iter().zip([0.2, 0.667, 0.6, 0.3]) {
            assert!((found - expected).abs() < 1e-3, "{matrix:?}");
        }
        let (own, other) = (Assignment { forks: vec![0, 1] }, Assignment { forks: vec![1, 0] });
        assert_eq!(Assignment::optimal(&matrix).expect("finite"), own);
        assert!((own.total(&matrix) - 0.5).abs() < 1e-6);
        assert!((other.total(&matrix) - 1.267).abs() < 1e-3);
        let ceiling = bounds.ceiling(&matrix).expect("finite").expect("two whole pairs");
        assert!((ceiling - 0.5).abs() < 1e-6, "{ceiling}");
    }

    #[test]
    fn shared_prefixes_by_hand() {
        let bounds = CostBounds::new(1, &[&[1, 2, 3], &[1, 2, 4, 5], &[9]], 2);
        assert_eq!(bounds.shared, [2, 2, 0]);
        assert_eq!(bounds.lengths, [2, 2, 1]);
    }
}
