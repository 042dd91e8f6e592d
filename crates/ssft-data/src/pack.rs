//! Trees of tokens, packed flat: one prompt per question, and the branches that continue it.
//!
//! ```text
//! question 0:  prompt ─┬─ <think1> trace ..      tokens = [ prompt 0 | prompt 1 | branches of 0 | branches of 1 ]
//!                      └─ <think2> trace ..
//! question 1:  prompt ─┬─ <think1> trace ..      a branch token sees its whole prompt and its own past,
//!                      └─ ..                     never a sibling
//! ```
//!
//! Every token occurs once and no token is padding, so everything that works on one token at a time
//! (projections, norms, feed-forward) does no wasted work. Only attention needs rectangles; a [`Grid`]
//! says how to lay the flat tokens out for it.

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
    /// Input tokens: the lead (forking token and what follows it by rule), then the trace without its last token.
    pub tokens: Vec<u32>,
    /// What the last `targets.len()` input tokens have to predict.
    pub targets: Vec<u32>,
}

impl Branch {
    /// The branch that puts `lead` in front of the first `length` tokens of `trace`.
    ///
    /// Tokens `lead, r_1 .. r_{l-1}` predict `r_1 .. r_l`, `l = min(length, trace.len())`: neither the
    /// prompt nor the lead is a target (arXiv 2510.05132, section 3).
    ///
    /// # Panics
    /// If `lead` or `trace` is empty or `length` is 0: the encoder never produces such rows.
    pub fn new(lead: &[u32], trace: &[u32], length: usize) -> Self {
        assert!(!lead.is_empty() && !trace.is_empty() && length > 0, "a branch needs a lead and a target");
        let targets = &trace[..length.min(trace.len())];
        let mut tokens = lead.to_vec();
        tokens.extend_from_slice(&targets[..targets.len() - 1]);
        Self { tokens, targets: targets.to_vec() }
    }
}

/// Where the flat tokens of one kind (all prompts, or all branches) stand in a padded rectangle
/// `[questions, branches, length]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Number of questions.
    pub questions: usize,
    /// Rectangle rows per question: 1 for prompts, the largest number of branches otherwise.
    pub branches: usize,
    /// Length of the longest sequence.
    pub length: usize,
    /// First flat token that belongs to this grid; they are contiguous.
    pub start: usize,
    /// Number of flat tokens that belong to this grid.
    pub tokens: usize,
    /// `[questions * branches * length]`: the token of each cell, counted from `start`. Padding repeats token 0.
    pub gather: Vec<i32>,
    /// `[tokens]`: the cell of each token. `gather[scatter[t]] == t`.
    pub scatter: Vec<i32>,
    /// `[questions * branches]`: the length of each sequence, 0 where a question has fewer branches.
    pub lengths: Vec<usize>,
}

impl Grid {
    fn new(start: usize, branches: usize, lengths: Vec<usize>) -> Self {
        let length = lengths.iter().copied().max().unwrap_or(0);
        let tokens = lengths.iter().sum();
        let mut gather = vec![0; lengths.len() * length];
        let mut scatter = Vec::with_capacity(tokens);
        for (sequence, &len) in lengths.iter().enumerate() {
            for offset in 0..len {
                let cell = sequence * length + offset;
                gather[cell] = scatter.len() as i32;
                scatter.push(cell as i32);
            }
        }
        Self {
            questions: lengths.len() / branches.max(1),
            branches,
            length,
            start,
            tokens,
            gather,
            scatter,
            lengths,
        }
    }

    /// True if the rectangle has no padding, so that laying it out is a mere change of shape.
    pub fn is_dense(&self) -> bool {
        self.tokens == self.gather.len()
    }
}

/// Trees packed for one forward pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedTrees {
    /// `[tokens]`: token ids, all prompts first, then all branches in question order.
    pub tokens: Vec<i32>,
    /// `[tokens]`: positions; a branch goes on where its prompt ends.
    pub positions: Vec<i32>,
    /// Layout of the prompts.
    pub prompts: Grid,
    /// Layout of the branches.
    pub branches: Grid,
    /// `[targets]`: the flat token that has to predict each target.
    pub target_rows: Vec<i32>,
    /// `[targets]`: the token id to predict.
    pub targets: Vec<i32>,
    /// Targets per branch, in branch order; they are contiguous in `targets`.
    pub target_lengths: Vec<usize>,
}

impl PackedTrees {
    /// Packs trees in the order given.
    ///
    /// # Panics
    /// If there is no tree, a prompt is empty, or a branch has more targets than tokens.
    pub fn new(trees: &[Tree]) -> Self {
        assert!(!trees.is_empty(), "nothing to pack");
        let prompts = Grid::new(0, 1, trees.iter().map(|tree| tree.prompt.len()).collect());
        let widest = trees.iter().map(|tree| tree.branches.len()).max().unwrap_or(0);
        let lengths = trees.iter().flat_map(|tree| {
            let pad = widest - tree.branches.len();
            tree.branches.iter().map(|branch| branch.tokens.len()).chain(std::iter::repeat_n(0, pad))
        });
        let mut packed = Self {
            tokens: Vec::new(),
            positions: Vec::new(),
            branches: Grid::new(prompts.tokens, widest, lengths.collect()),
            prompts,
            target_rows: Vec::new(),
            targets: Vec::new(),
            target_lengths: Vec::new(),
        };
        for tree in trees {
            assert!(!tree.prompt.is_empty(), "a prompt needs a token");
            packed.push(&tree.prompt, 0);
        }
        for tree in trees {
            for branch in &tree.branches {
                packed.push(&branch.tokens, tree.prompt.len());
                packed.push_targets(branch);
            }
        }
        packed
    }

    fn push(&mut self, tokens: &[u32], first_position: usize) {
        self.tokens.extend(tokens.iter().map(|&token| token as i32));
        self.positions
            .extend((first_position..first_position + tokens.len()).map(|position| position as i32));
    }

    fn push_targets(&mut self, branch: &Branch) {
        assert!(branch.targets.len() <= branch.tokens.len(), "more targets than tokens");
        let end = self.tokens.len();
        self.target_rows.extend((end - branch.targets.len()..end).map(|row| row as i32));
        self.targets.extend(branch.targets.iter().map(|&token| token as i32));
        self.target_lengths.push(branch.targets.len());
    }

    /// Cells of both attention rectangles, those without a token included.
    pub fn cells(&self) -> usize {
        self.prompts.gather.len() + self.branches.gather.len()
    }
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
        assert_eq!(packed.tokens, [10, 11, 12, 90, 1, 91, 92, 80, 4]);
        assert_eq!(packed.positions, [0, 1, 0, 2, 3, 2, 1, 2, 3]);
        assert_eq!(packed.target_rows, [3, 4, 5, 7, 8]);
        assert_eq!(packed.targets, [1, 2, 3, 4, 5]);
        assert_eq!(packed.target_lengths, [2, 1, 2]);

        assert_eq!(packed.prompts.gather, [0, 1, 2, 0]);
        assert_eq!(packed.prompts.scatter, [0, 1, 2]);
        let grid = &packed.branches;
        assert_eq!((grid.questions, grid.branches, grid.length, grid.start, grid.tokens), (2, 2, 3, 3, 6));
        assert_eq!(grid.lengths, [2, 1, 3, 0]);
        assert_eq!(grid.gather, [0, 1, 0, 2, 0, 0, 3, 4, 5, 0, 0, 0]);
        assert_eq!(grid.scatter, [0, 1, 3, 6, 7, 8]);
        assert!(!grid.is_dense());
        assert_eq!((packed.tokens.len(), packed.cells()), (9, 16));
    }

    #[test]
    fn equal_lengths_leave_no_padding() {
        let tree = Tree { prompt: vec![1, 2], branches: vec![Branch::new(&[9], &[3, 4], 2); 3] };
        let packed = PackedTrees::new(&[tree.clone(), tree]);
        assert!(packed.prompts.is_dense() && packed.branches.is_dense());
        assert_eq!(packed.tokens.len(), packed.cells());
    }
}
