//! What a question costs under every fork as things stand, and what would be matched: how forks come to own a way.

use crate::assign::optimal;
use crate::error::TrainError;
use crate::step::Trainer;
use serde::Serialize;
use ssft_data::encode::EncodedQuestion;

/// The cost matrix of a question and its matching, for `metrics.jsonl` and for people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Probe {
    /// Id of the question.
    pub id: String,
    /// Source of each trace.
    pub sources: Vec<String>,
    /// `[forks][traces]`, in nats a token.
    pub costs: Vec<Vec<f32>>,
    /// The fork of each trace in the optimal matching, from 1.
    pub forks: Vec<usize>,
}

impl Trainer {
    /// Looks at questions under the weights as they stand; nothing is trained.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails, [`TrainError::Cost`] if a cost is not a number,
    /// [`TrainError::TooManyTraces`] if a question has more traces than there are forks.
    pub async fn probe(&self, questions: &[&EncodedQuestion]) -> Result<Vec<Probe>, TrainError> {
        let step = self.steps_done();
        let costs = self.costs(step, &[questions]).await?;
        let of = |(question, costs): (&&EncodedQuestion, &crate::CostMatrix)| {
            let matched = optimal(step, question, costs)?;
            Ok(Probe {
                id: question.id.clone(),
                sources: question.traces.iter().map(|trace| trace.source.clone()).collect(),
                costs: costs.values.chunks(costs.traces).map(<[f32]>::to_vec).collect(),
                forks: matched.forks.iter().map(|fork| fork + 1).collect(),
            })
        };
        questions.iter().zip(&costs).map(of).collect()
    }
}
