//! The cost matrix of a question, on the host.

use serde::Serialize;

/// The N x M pairwise costs of one question, in nats per token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostMatrix {
    /// N.
    pub forks: usize,
    /// M.
    pub traces: usize,
    /// `[forks, traces]`, row-major.
    pub values: Vec<f32>,
}

impl CostMatrix {
    /// Cost of `trace` under `fork`, both from 0.
    ///
    /// # Panics
    /// If the matrix has no such row or column.
    pub fn at(&self, fork: usize, trace: usize) -> f32 {
        self.values[fork * self.traces + trace]
    }

    /// Position (fork, trace), from 0, of the first cost that is NaN or infinite.
    pub fn not_finite(&self) -> Option<(usize, usize)> {
        let index = self.values.iter().position(|value| !value.is_finite())?;
        Some((index / self.traces, index % self.traces))
    }
}

/// Tokens behind the cost matrices of a step: losses that whole matrices consist of, and tokens that were computed.
///
/// The two differ even if everything is computed: the last token of a lead gives the first loss of all M traces, so with N = 6,
/// M = 4, L = 8 and leads of one token 174 tokens give 192 losses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostTokens {
    /// Losses of whole matrices: sum over all pairs of `min(L, T_j)`.
    pub whole: usize,
    /// Tokens that went through the model without gradient, prompts excluded.
    pub computed: usize,
}

impl CostTokens {
    /// Share of `whole` that was not computed. Below 0 if the tokens of the leads outweigh what was saved.
    pub fn saved(&self) -> f64 {
        1.0 - self.computed as f64 / self.whole.max(1) as f64
    }
}

impl std::ops::AddAssign for CostTokens {
    fn add_assign(&mut self, other: Self) {
        self.whole += other.whole;
        self.computed += other.computed;
    }
}
