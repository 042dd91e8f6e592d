//! Costs on the host: the one readback between the device and the matching.

use crate::error::TrainError;
use crate::pairwise::PairCosts;
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

impl PairCosts {
    /// Reads the costs of the whole batch back in one go, one matrix a question.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn read(self, step: usize) -> Result<Vec<CostMatrix>, TrainError> {
        let failed = |what: String| TrainError::Device { step, what };
        let data = self.costs.into_data_async().await.map_err(|error| failed(error.to_string()))?;
        let values = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?;
        let mut rest = values.as_slice();
        let mut matrix = |&(forks, traces): &(usize, usize)| {
            let (ours, others) = rest.split_at(forks * traces);
            rest = others;
            CostMatrix { forks, traces, values: ours.to_vec() }
        };
        Ok(self.shapes.iter().map(&mut matrix).collect())
    }
}
