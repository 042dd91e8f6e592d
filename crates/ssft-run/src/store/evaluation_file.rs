//! `eval.json`: an evaluation with the model, the questions and the sampling that it belongs to.

use crate::error::RunError;
use crate::settings::Settings;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::Protocol;
use ssft_decode::sample::Sampling;
use std::path::Path;

/// Where the questions of an evaluation come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Built-in task.
    pub task: Option<String>,
    /// Level of the task.
    pub difficulty: Option<u8>,
    /// A user's file.
    pub data: Option<String>,
}

impl Asked {
    /// Questions of a user's file.
    pub fn data(path: &Path) -> Self {
        Self { task: None, difficulty: None, data: Some(path.display().to_string()) }
    }

    /// Questions of a built-in task.
    pub fn task(name: &str, difficulty: u8) -> Self {
        Self { task: Some(name.to_owned()), difficulty: Some(difficulty), data: None }
    }

    /// Questions that a run held out.
    pub fn held_out(run: &Settings) -> Self {
        match &run.data {
            Some(path) => Self::data(path),
            None => Self::task(run.task.as_deref().unwrap_or_default(), run.difficulty),
        }
    }

    /// Name for messages: `arithmetic, difficulty 1`, or the file.
    pub fn name(&self) -> String {
        match (&self.data, &self.task, self.difficulty) {
            (None, Some(task), Some(difficulty)) => format!("{task}, difficulty {difficulty}"),
            (data, ..) => data.clone().unwrap_or_default(),
        }
    }
}

/// The content of `eval --json` and of a run's `eval.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationFile {
    model: String,
    #[serde(flatten)]
    asked: Asked,
    seed: u64,
    /// Sampling of the drawn answers; of the greedy ones if none were drawn and there is a repetition penalty; else absent.
    sampling: Option<Sampling>,
    max_tokens: usize,
    /// Figures and samples.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

impl EvaluationFile {
    /// The evaluation of the model at `model` under `protocol`.
    pub fn new(model: &Path, asked: Asked, protocol: &Protocol, evaluation: Evaluation) -> Self {
        Self {
            model: model.display().to_string(),
            asked,
            seed: protocol.seed,
            sampling: match (protocol.samples, protocol.sampling.repetition_penalty) {
                (0, 1.0) => None,
                (0, repetition_penalty) => Some(Sampling { repetition_penalty, ..Sampling::GREEDY }),
                _ => Some(protocol.sampling),
            },
            max_tokens: protocol.max_tokens,
            evaluation,
        }
    }

    /// One line.
    ///
    /// # Errors
    /// [`RunError::Failed`] if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, RunError> {
        serde_json::to_string(self).map(|text| text + "\n").map_err(RunError::failed)
    }
}

/// An evaluation as JSON without `samples`, the text of every answer.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn without_samples(evaluation: &impl Serialize) -> serde_json::Result<Value> {
    let mut value = serde_json::to_value(evaluation)?;
    if let Value::Object(fields) = &mut value {
        fields.shift_remove("samples");
    }
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssft_decode::{Figures, Judge};
    use std::collections::BTreeMap;

    fn figures<T: Copy>(value: T) -> Figures<T> {
        Figures {
            chosen_pass_at_1: Some(value),
            pass_at_k: BTreeMap::from([(1, value), (6, value)]),
            cons_at_k: BTreeMap::from([(6, value)]),
            native_cons_at_n: value,
            any_correct: value,
            distinct_answers: value,
            distinct_traces: value,
            distinct_strategies: None,
            mutual_information: Some(value),
        }
    }

    #[test]
    fn a_file_reads_back_as_its_own_type() {
        let value = 3.959_579_944_610_596;
        let evaluation = Evaluation {
            n_questions: 1,
            samples_per_fork: 0,
            forks: Vec::new(),
            chosen_fork: Some(1),
            figures: figures(value),
            ci95: figures([value, 1.0]),
            agreement: vec![vec![1.0]],
            strategies: Vec::new(),
            samples: Vec::new(),
        };
        let protocol = Protocol {
            forks: vec![0],
            samples: 0,
            sampling: Sampling { repetition_penalty: 1.25, ..Sampling::GREEDY },
            rows: 8,
            max_tokens: 40,
            judge: Judge::Reference(ssft_decode::AnswerFormat::Exact),
            chosen_fork: Some(1),
            ks: vec![1, 6],
            seed: 7,
        };
        let file = EvaluationFile::new(Path::new("m"), Asked::task("maze", 2), &protocol, evaluation);
        let text = file.to_json().expect("JSON");
        let read: EvaluationFile = serde_json::from_str(&text).expect("the same type");
        assert_eq!(read, file);
        assert_eq!(read.evaluation.figures.pass_at_k[&6].to_bits(), value.to_bits());
    }
}
