//! The arms of a comparison: same questions and optimizer, another rule for which traces are trained behind which forking token.
//!
//! [`Method::without_costs`] is the rule of every arm that needs no costs; a new arm of that kind is one more variant,
//! its name, and one match arm there.

use crate::error::TrainError;
use crate::matching::Assignment;
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;
use ssft_data::random::{Stream, generator};

/// The rule that chooses the forking token in front of trace j (arXiv 2510.05132, section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The first trace of each question, always `<think1>`.
    Sft,
    /// All traces, always `<think1>`: the baseline in which all traces share one token.
    SftMixed,
    /// All traces, a new random injective assignment at every step.
    SsftRandom,
    /// All traces, the optimal matching.
    Ssft,
}

impl Method {
    /// All arms, baselines first.
    pub const ALL: [Self; 4] = [Self::Sft, Self::SftMixed, Self::SsftRandom, Self::Ssft];

    /// The name in settings and files, in kebab-case: `sft-mixed`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::SftMixed => "sft-mixed",
            Self::SsftRandom => "ssft-random",
            Self::Ssft => "ssft",
        }
    }

    /// Number of traces that the arm trains on, of a question that has `traces`.
    pub fn traces(self, traces: usize) -> usize {
        if self == Self::Sft { traces.min(1) } else { traces }
    }

    /// Target tokens of the arm's training passes over `questions`: the denominator of the set loss.
    pub fn target_tokens(self, questions: &[&EncodedQuestion]) -> usize {
        let used = |question: &EncodedQuestion| -> usize {
            let traces = &question.traces[..self.traces(question.traces.len())];
            traces.iter().map(|trace| trace.tokens.len()).sum()
        };
        questions.iter().map(|question| used(question)).sum()
    }

    /// The assignments of all `questions` of step `step`, question by question, or `None` if the arm matches by costs.
    ///
    /// # Errors
    /// [`TrainError::TooManyTraces`] if an injective map is asked for and a question has more traces than `forks`.
    pub fn without_costs(
        self,
        questions: &[&EncodedQuestion],
        forks: usize,
        seed: u64,
        step: usize,
    ) -> Result<Option<Vec<Assignment>>, TrainError> {
        let traces = |question: &EncodedQuestion| self.traces(question.traces.len());
        let assignments = match self {
            Self::Sft | Self::SftMixed => {
                questions.iter().map(|question| Assignment::all_to_first(traces(question))).collect()
            }
            Self::SsftRandom => {
                let mut rng = generator(seed, Stream::Assignment { step: step as u64 });
                let random = |question: &&EncodedQuestion| {
                    check_forks(question, forks)?;
                    Ok(Assignment::random(forks, traces(question), &mut rng))
                };
                questions.iter().map(random).collect::<Result<_, TrainError>>()?
            }
            Self::Ssft => return Ok(None),
        };
        Ok(Some(assignments))
    }
}

fn check_forks(question: &EncodedQuestion, forks: usize) -> Result<(), TrainError> {
    let traces = question.traces.len();
    if traces <= forks {
        return Ok(());
    }
    Err(TrainError::TooManyTraces { question: question.id.clone(), traces, forks })
}
