//! Costs on the host, as the matching takes them.

use serde::Serialize;

/// The N x M costs of one question, in nats a token.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostMatrix {
    /// N.
    pub forks: usize,
    /// M.
    pub traces: usize,
    /// Row-major, one row a fork.
    pub values: Vec<f32>,
}

impl CostMatrix {
    /// Cost of `trace` under `fork`, both from 0.
    pub fn at(&self, fork: usize, trace: usize) -> f32 {
        self.values[fork * self.traces + trace]
    }

    /// The first cost that is not a finite number, as (fork, trace).
    pub fn not_finite(&self) -> Option<(usize, usize)> {
        let index = self.values.iter().position(|value| !value.is_finite())?;
        Some((index / self.traces, index % self.traces))
    }
}
