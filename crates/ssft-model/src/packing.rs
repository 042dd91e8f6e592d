//! Packed trees: the tokens of one forward pass.
//!
//! A question is a tree: a prompt, and branches that continue it. The tokens of all trees form one flat list without
//! padding, in which every prompt occurs once. A *run* is a contiguous part of this list: a prompt, or a branch. A token
//! attends to its own run up to itself and to the runs that its run continues, never to a sibling or another tree.
//!
//! # Example
//!
//! One question with the prompt `10 11`, and two forks, `90` and `91`, with a trace of three tokens each: `1 2 3` and
//! `4 5 6`. The last token of a trace is predicted but not fed, so a branch, one forking token and two trace
//! tokens, also has three:
//!
//! ```text
//! prompt 10 11 ─┬─ 90 1 2      predicts 1 2 3
//!               └─ 91 4 5      predicts 4 5 6
//!
//! row        0   1 |  2  3  4 |  5  6  7      a row of the hidden states per token
//! token     10  11 | 90  1  2 | 91  4  5
//! position   0   1 |  2  3  4 |  2  3  4      both branches follow the prompt
//! run        0     |  1       |  2            runs 1 and 2 have the parent 0
//! target     -   - |  1  2  3 |  4  5  6      the prompt is not a target
//! ```
//!
//! # Types that describe a run
//!
//! - [`Tree`] and [`Branch`]: input of the packing, tokens by question.
//! - [`Node`], from `ssft_kernels`: parent and length of a run. [`PackedTrees::runs`] and [`crate::cache`] use it.
//! - A `Run` of `ssft_kernels` is a node with the rows of its keys and queries, which [`ssft_kernels::Forest`] computes.
//! - A run of [`crate::cache::TreeCache`] is a node with its position, its first row, and rows reserved for more tokens.
//! - [`crate::cache::Growth`] says to which run new tokens are added.
//!
//! Not here: which trace goes to which fork (`ssft-train`), and attention itself (`ssft_kernels::tree_attention`).

use ssft_kernels::{Node, Targets};

/// A question as a tree: a prompt and the branches that continue it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// Token ids of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// Continuations of the prompt.
    pub branches: Vec<Branch>,
}

/// One continuation of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Input tokens: the lead (a forking token and the fixed tokens after it), then the trace without its last token.
    pub tokens: Vec<u32>,
    /// Tokens that the last `targets.len()` input tokens have to predict.
    pub targets: Vec<u32>,
}

impl Branch {
    /// The branch with the tokens `lead` and the first `length` tokens of `trace`.
    ///
    /// Tokens `lead, r_1 .. r_{l-1}` predict `r_1 .. r_l`, `l = min(length, trace.len())`: neither the
    /// prompt nor the lead is a target (arXiv 2510.05132, section 3).
    ///
    /// # Panics
    /// If `lead` or `trace` is empty or `length` is 0; the encoder does not produce such rows.
    pub fn new(lead: &[u32], trace: &[u32], length: usize) -> Self {
        assert!(!lead.is_empty() && !trace.is_empty() && length > 0, "a branch needs a lead and a target");
        let targets = &trace[..length.min(trace.len())];
        let mut tokens = lead.to_vec();
        tokens.extend_from_slice(&targets[..targets.len() - 1]);
        Self { tokens, targets: targets.to_vec() }
    }
}

/// Trees packed for one forward pass; the module documentation explains the layout.
///
/// ```
/// use ssft_model::packing::{Branch, PackedTrees, Tree};
///
/// let branches = vec![Branch::new(&[90], &[1, 2, 3], usize::MAX), Branch::new(&[91], &[4, 5, 6], usize::MAX)];
/// let packed = PackedTrees::new(&[Tree { prompt: vec![10, 11], branches }]);
/// assert_eq!(packed.tokens, [10, 11, 90, 1, 2, 91, 4, 5]);
/// assert_eq!(packed.positions, [0, 1, 2, 3, 4, 2, 3, 4]);
/// assert_eq!(packed.runs[2].parent, Some(0));
/// // Row 2, which holds token 90, has to predict token 1.
/// assert_eq!(packed.targets().pairs()[0], [2, 1]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedTrees {
    /// `[tokens]`: token ids, run by run.
    pub tokens: Vec<u32>,
    /// `[tokens]`: position of each token in its sequence; a run starts at the position after its parent's last token.
    pub positions: Vec<u32>,
    /// Runs in the order of their tokens. All runs of a tree are adjacent, its prompt first. `new` equals `length`: every
    /// token is a query.
    pub runs: Vec<Node>,
    /// `[targets]`: row of the token that has to predict each target, in ascending order.
    pub target_rows: Vec<u32>,
    /// `[targets]`: token id to predict.
    pub target_tokens: Vec<u32>,
    /// `[runs]`: position after the last token of each run.
    end_positions: Vec<usize>,
}

impl PackedTrees {
    /// Packs trees in the order given.
    ///
    /// # Panics
    /// If there is no tree, a run is empty, or a branch has more targets than tokens.
    pub fn new(trees: &[Tree]) -> Self {
        assert!(!trees.is_empty(), "nothing to pack");
        let mut packed = Self::default();
        for tree in trees {
            let prompt = packed.push(None, &tree.prompt);
            for branch in &tree.branches {
                packed.push(Some(prompt), &branch.tokens);
                packed.push_targets(branch);
            }
        }
        packed
    }

    /// Adds a run without targets that continues the run `parent`, or starts a tree; returns the number of the new run.
    ///
    /// # Panics
    /// If `tokens` is empty or there is no run `parent`.
    pub fn push(&mut self, parent: Option<usize>, tokens: &[u32]) -> usize {
        assert!(!tokens.is_empty(), "a run needs a token");
        let start = parent.map_or(0, |parent| self.end_positions[parent]);
        let length = tokens.len();
        self.positions.extend((start..start + length).map(|position| position as u32));
        self.tokens.extend(tokens);
        self.runs.push(Node { parent, length, new: length });
        self.end_positions.push(start + length);
        self.runs.len() - 1
    }

    /// Makes `tokens` the targets of the rows `row ..`, one target per row.
    ///
    /// # Panics
    /// If the rows exceed the tokens.
    pub fn add_targets(&mut self, row: usize, tokens: &[u32]) {
        assert!(row + tokens.len() <= self.tokens.len(), "targets beyond the last token");
        self.target_rows.extend((row..row + tokens.len()).map(|row| row as u32));
        self.target_tokens.extend(tokens);
    }

    /// Makes `token` a target of the last token of the newest run. That token may get several targets, one for each
    /// branch that continues the run.
    ///
    /// # Panics
    /// If `run` is not the newest one.
    pub fn add_next_target(&mut self, run: usize, token: u32) {
        assert_eq!(run + 1, self.runs.len(), "run {run} is not the newest run");
        self.add_targets(self.tokens.len() - 1, &[token]);
    }

    /// The targets in the form that [`ssft_kernels::linear_nll`] takes.
    pub fn targets(&self) -> Targets {
        targets(&self.target_rows, &self.target_tokens)
    }

    /// Share of padding among the tokens: 0, since every token belongs to a run.
    pub fn padding(&self) -> f64 {
        let used: usize = self.runs.iter().map(|run| run.length).sum();
        1.0 - used as f64 / self.tokens.len() as f64
    }

    fn push_targets(&mut self, branch: &Branch) {
        assert!(branch.targets.len() <= branch.tokens.len(), "more targets than tokens");
        self.add_targets(self.tokens.len() - branch.targets.len(), &branch.targets);
    }
}

/// Targets for [`ssft_kernels::linear_nll`]: row `rows[i]` has to predict the token `tokens[i]`. The only conversion of
/// targets from `u32` to `i32`.
///
/// # Panics
/// If the lengths differ or the rows are not in ascending order.
pub fn targets(rows: &[u32], tokens: &[u32]) -> Targets {
    let signed = |numbers: &[u32]| -> Vec<i32> { numbers.iter().map(|&number| number as i32).collect() };
    Targets::new(&signed(rows), &signed(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_shifts_its_trace_by_one() {
        let branch = Branch::new(&[90], &[1, 2, 3], 10);
        assert_eq!(branch, Branch { tokens: vec![90, 1, 2], targets: vec![1, 2, 3] });
        let prefix = Branch::new(&[90], &[1, 2, 3], 2);
        assert_eq!(prefix, Branch { tokens: vec![90, 1], targets: vec![1, 2] });
        let lead = Branch::new(&[90, 91], &[1, 2, 3], 1);
        assert_eq!(lead, Branch { tokens: vec![90, 91], targets: vec![1] });
    }

    #[test]
    fn two_questions_pack_as_worked_by_hand() {
        let trees = [
            Tree {
                prompt: vec![10, 11],
                branches: vec![Branch::new(&[90], &[1, 2], 9), Branch::new(&[91], &[3], 9)],
            },
            Tree { prompt: vec![12], branches: vec![Branch::new(&[92, 80], &[4, 5], 9)] },
        ];
        let packed = PackedTrees::new(&trees);
        assert_eq!(packed.tokens, [10, 11, 90, 1, 91, 12, 92, 80, 4]);
        assert_eq!(packed.positions, [0, 1, 2, 3, 2, 0, 1, 2, 3]);
        let run = |parent, length| Node { parent, length, new: length };
        assert_eq!(
            packed.runs,
            [run(None, 2), run(Some(0), 2), run(Some(0), 1), run(None, 1), run(Some(3), 3)]
        );
        assert_eq!(packed.target_rows, [2, 3, 4, 7, 8]);
        assert_eq!(packed.target_tokens, [1, 2, 3, 4, 5]);
        assert_eq!(packed.targets().pairs(), [[2, 1], [3, 2], [4, 3], [7, 4], [8, 5]]);
        assert_eq!(packed.padding(), 0.0);
    }

    #[test]
    #[should_panic(expected = "a run needs a token")]
    fn an_empty_prompt_is_refused() {
        PackedTrees::new(&[Tree { prompt: vec![], branches: vec![] }]);
    }
}
