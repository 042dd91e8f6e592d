//! Which rows of hidden states predict which tokens.

use std::sync::Arc;

/// Pairs of a row of hidden states and the token that it predicts, ordered by row.
///
/// A row without a target is not read and gets no gradient. A row can have several targets, for example the last token of
/// a prompt that is followed by several traces; then there is no gradient. Cloning copies a pointer.
///
/// # Examples
/// ```
/// use ssft_kernels::Targets;
///
/// // Rows 4, 5 and 6 predict the tokens 17, 2 and 9; rows 0 to 3 are a prompt.
/// let targets = Targets::new(&[4, 5, 6], &[17, 2, 9]);
/// assert_eq!(targets.len(), 3);
/// assert_eq!(targets.pairs()[0], [4, 17]);
/// assert_eq!(Targets::every_row(&[17, 2]), Targets::new(&[0, 1], &[17, 2]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets(Arc<[[u32; 2]]>);

impl Targets {
    /// Row `rows[i]` predicts `tokens[i]`.
    ///
    /// # Panics
    /// If the numbers of rows and tokens differ, or the rows descend.
    pub fn new(rows: &[i32], tokens: &[i32]) -> Self {
        assert_eq!(rows.len(), tokens.len(), "{} rows against {} tokens", rows.len(), tokens.len());
        assert!(rows.is_sorted(), "rows with targets must not descend");
        Self(rows.iter().zip(tokens).map(|(&row, &token)| [row as u32, token as u32]).collect())
    }

    /// Row i predicts `tokens[i]`.
    pub fn every_row(tokens: &[i32]) -> Self {
        Self::new(&(0..tokens.len() as i32).collect::<Vec<_>>(), tokens)
    }

    /// Number of targets.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there is no target.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `[row, token]` of every target.
    pub fn pairs(&self) -> &[[u32; 2]] {
        &self.0
    }

    /// Panics if a row has several targets: their gradients would be written to the same place.
    pub(crate) fn assert_one_a_row(&self) {
        let ascend = self.0.is_sorted_by(|a, b| a[0] < b[0]);
        assert!(ascend, "linear_nll: a gradient takes one target a row");
    }

    /// True if the targets `from..to` belong to consecutive rows, one target each.
    pub(crate) fn are_consecutive(&self, from: usize, to: usize) -> bool {
        self.0[from..to].windows(2).all(|pair| pair[1][0] == pair[0][0] + 1)
    }

    /// Panics if a row or a token is out of range. A negative number became a very large one.
    pub(crate) fn check(&self, rows: usize, vocab: usize) {
        for &[row, token] in self.pairs() {
            assert!((row as usize) < rows, "a target for row {row} of {rows}");
            assert!((token as usize) < vocab, "token {token} in a vocabulary of {vocab}");
        }
    }
}
