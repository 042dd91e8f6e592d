//! Probe: the cost matrix and matching of a few questions under the current weights, without training on them.

use crate::cost::CostMatrix;
use crate::error::TrainError;
use crate::matching::Assignment;
use crate::trainer::Trainer;
use serde::Serialize;
use ssft_data::encode::EncodedQuestion;

/// The cost matrix of a question and its optimal matching, as in `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Id of the question.
    pub id: String,
    /// Source of each trace.
    pub sources: Vec<String>,
    /// `[forks][traces]`, in nats per token.
    pub costs: Vec<Vec<f32>>,
    /// Fork of each trace in the optimal matching, from 1.
    pub forks: Vec<usize>,
}

impl Trainer {
    /// Probes of some questions under the current weights.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails, [`TrainError::Cost`] if a cost is not finite,
    /// [`TrainError::TooManyTraces`] if a question has more traces than there are forks.
    pub async fn probe(&self, questions: &[&EncodedQuestion]) -> Result<Vec<Probe>, TrainError> {
        let costs = self.costs(&[questions]).await?;
        let of = |(question, costs): (&&EncodedQuestion, &CostMatrix)| {
            let matched = Assignment::optimal_for(question, costs, self.steps_done())?;
            Ok(Probe {
                id: question.id.clone(),
                sources: question.traces.iter().map(|trace| trace.source.clone()).collect(),
                costs: costs.values.chunks(costs.traces).map(<[f32]>::to_vec).collect(),
                forks: matched.numbers(),
            })
        };
        questions.iter().zip(&costs).map(of).collect()
    }
}
