//! Which rows have to predict which token.

use std::sync::Arc;

/// Rows of a hidden state, and the token that each has to predict.
///
/// A row that is not listed has no target: it is never computed, and nothing flows back to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets(Arc<[[u32; 2]]>);

impl Targets {
    /// `tokens[i]` is what row `rows[i]` has to predict.
    ///
    /// # Panics
    /// If the numbers of rows and tokens differ, or the rows do not ascend (each row predicts one token).
    pub fn new(rows: &[i32], tokens: &[i32]) -> Self {
        assert_eq!(rows.len(), tokens.len(), "{} rows against {} tokens", rows.len(), tokens.len());
        assert!(rows.is_sorted_by(|a, b| a < b), "rows with targets must ascend");
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

    /// Stops what would read beyond a matrix. Negative numbers have become very large ones.
    pub(crate) fn check(&self, rows: usize, vocab: usize) {
        for &[row, token] in self.pairs() {
            assert!((row as usize) < rows, "a target for row {row} of {rows}");
            assert!((token as usize) < vocab, "token {token} in a vocabulary of {vocab}");
        }
    }
}
