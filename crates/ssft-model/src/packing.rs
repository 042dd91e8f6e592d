//! Trees of tokens, packed flat: one prompt per question, and the branches that continue it.
//!
//! ```text
//! question 0:  prompt ─┬─ <think1> trace ..      tokens = [ prompt 0 | its branches | prompt 1 | its branches ]
//!                      └─ <think2> trace ..      runs   =   one a prompt, one a branch that continues it
//! question 1:  prompt ─┬─ <think1> trace ..      a branch token sees its whole prompt and its own past,
//!                      └─ ..                     never a sibling
//! ```
//!
//! Every token occurs once and no token is padding: questions and traces of different lengths stand side by side, and
//! attention is told which runs of tokens continue which.

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

/// A run of tokens in a packed batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The run that this one continues, an earlier one; a prompt continues none.
    pub parent: Option<usize>,
    /// Number of its tokens.
    pub length: usize,
}

/// Trees packed for one forward pass.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackedTrees {
    /// `[tokens]`: token ids, run by run.
    pub tokens: Vec<i32>,
    /// `[tokens]`: positions; a run goes on where the one that it continues ends.
    pub positions: Vec<i32>,
    /// Runs in the order of their tokens; a tree's prompt comes first, and nothing of another tree until its last run.
    pub runs: Vec<Run>,
    /// `[targets]`: the flat token that has to predict each target.
    pub target_rows: Vec<i32>,
    /// `[targets]`: the token id to predict.
    pub targets: Vec<i32>,
    /// Targets per branch, in branch order; they are contiguous in `targets`.
    pub target_lengths: Vec<usize>,
    /// `[runs]`: the position that follows each run.
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

    /// Adds a run that continues `parent`, without targets; returns its number.
    ///
    /// # Panics
    /// If it is empty or its parent does not come before it.
    pub fn push(&mut self, parent: Option<usize>, tokens: &[u32]) -> usize {
        assert!(!tokens.is_empty(), "a run needs a token");
        let start = parent.map_or(0, |parent| self.end_positions[parent]);
        self.positions.extend((start..start + tokens.len()).map(|position| position as i32));
        self.tokens.extend(tokens.iter().map(|&token| token as i32));
        self.runs.push(Run { parent, length: tokens.len() });
        self.end_positions.push(start + tokens.len());
        self.runs.len() - 1
    }

    /// Has the flat tokens from `row` on predict `tokens`, one each.
    ///
    /// # Panics
    /// If the rows go beyond the tokens.
    pub fn expect(&mut self, row: usize, tokens: &[u32]) {
        assert!(row + tokens.len() <= self.tokens.len(), "targets beyond the last token");
        self.target_rows.extend((row..row + tokens.len()).map(|row| row as i32));
        self.targets.extend(tokens.iter().map(|&token| token as i32));
        self.target_lengths.push(tokens.len());
    }

    /// Has the last token of the newest run predict `token`; it may have to predict several, one for each future.
    ///
    /// # Panics
    /// If `run` is not the newest one.
    pub fn expect_next(&mut self, run: usize, token: u32) {
        assert_eq!(run + 1, self.runs.len(), "only the newest run can be told what follows");
        self.expect(self.tokens.len() - 1, &[token]);
    }

    /// Share of the tokens that stand for nothing: 0, as long as every token is part of a run.
    pub fn padding(&self) -> f64 {
        let used: usize = self.runs.iter().map(|run| run.length).sum();
        1.0 - used as f64 / self.tokens.len() as f64
    }

    fn push_targets(&mut self, branch: &Branch) {
        assert!(branch.targets.len() <= branch.tokens.len(), "more targets than tokens");
        self.expect(self.tokens.len() - branch.targets.len(), &branch.targets);
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
        assert_eq!(packed.tokens, [10, 11, 90, 1, 91, 12, 92, 80, 4]);
        assert_eq!(packed.positions, [0, 1, 2, 3, 2, 0, 1, 2, 3]);
        let run = |parent, length| Run { parent, length };
        assert_eq!(
            packed.runs,
            [run(None, 2), run(Some(0), 2), run(Some(0), 1), run(None, 1), run(Some(3), 3)]
        );
        assert_eq!(packed.target_rows, [2, 3, 4, 7, 8]);
        assert_eq!(packed.targets, [1, 2, 3, 4, 5]);
        assert_eq!(packed.target_lengths, [2, 1, 2]);
        assert_eq!(packed.padding(), 0.0);
    }

    #[test]
    #[should_panic(expected = "a run needs a token")]
    fn an_empty_prompt_is_refused() {
        PackedTrees::new(&[Tree { prompt: vec![], branches: vec![] }]);
    }
}
