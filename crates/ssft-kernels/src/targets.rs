//! Which rows have to predict which token.

use std::sync::Arc;

/// Rows of a hidden state, and the token that each has to predict.
///
/// A row that is not listed has no target: it is never computed, and nothing flows back to it. A row may be listed
/// several times, for tokens that it has to predict in different futures; then no gradient is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets(Arc<[[u32; 2]]>);

impl Targets {
    /// `tokens[i]` is what row `rows[i]` has to predict.
    ///
    /// # Panics
    /// If the numbers of rows and tokens differ, or the rows descend.
    pub fn new(rows: &[i32], tokens: &[i32]) -> Self {
        assert_eq!(rows.len(), tokens.len(), "{} rows against {} tokens", rows.len(), tokens.len());
        assert!(rows.is_sorted(), "rows with targets must not descend");
        Self(rows.iter().zip(tokens).map(|(&row, &token)| [row as u32, token as u32]).collect())
    }

    /// Row i has to predict `tokens[i]`.
    pub fn every_row(tokens: &[i32]) -> Self {
        Self::new(&(0..tokens.len() as i32).collect::<Vec<_>>(), tokens)
    }

    /// Number of targets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if nothing has to be predicted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `[row, token]` of every target.
    pub fn pairs(&self) -> &[[u32; 2]] {
        &self.0
    }

    /// Stops where two gradients would be written to one row.
    pub(crate) fn assert_one_a_row(&self) {
        let ascend = self.0.is_sorted_by(|a, b| a[0] < b[0]);
        assert!(ascend, "linear_nll: a gradient takes one target a row");
    }

    /// True if the targets `from..to` belong to rows that stand side by side, one target each.
    pub(crate) fn are_side_by_side(&self, from: usize, to: usize) -> bool {
        self.0[from..to].windows(2).all(|pair| pair[1][0] == pair[0][0] + 1)
    }

    /// Stops what would read beyond a matrix. Negative numbers have become very large ones.
    pub(crate) fn check(&self, rows: usize, vocab: usize) {
        for &[row, token] in self.pairs() {
            assert!((row as usize) < rows, "a target for row {row} of {rows}");
            assert!((token as usize) < vocab, "token {token} in a vocabulary of {vocab}");
        }
    }
}
