//! What `train` and `eval` share of an evaluation: its limits, and its file.

use crate::error::RunError;
use crate::settings::Settings;
use serde::Serialize;
use serde_json::Value;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::Protocol;
use ssft_decode::sample::Sampling;
use std::path::Path;

/// What was asked.
#[derive(Debug, Clone, Serialize)]
pub struct Asked {
    /// Built-in task, if it was one.
    pub task: Option<String>,
    /// Its level.
    pub difficulty: Option<u8>,
    /// File of the questions, if it was one.
    pub data: Option<String>,
}

impl Asked {
    /// A user's file.
    pub fn data(path: &Path) -> Self {
        Self { task: None, difficulty: None, data: Some(path.display().to_string()) }
    }

    /// A built-in task.
    pub fn task(name: &str, difficulty: u8) -> Self {
        Self { task: Some(name.to_owned()), difficulty: Some(difficulty), data: None }
    }

    /// What a run held out.
    pub fn held_out(run: &Settings) -> Self {
        match &run.data {
            Some(path) => Self::data(path),
            None => Self::task(run.task.as_deref().unwrap_or_default(), run.difficulty),
        }
    }

    /// For people.
    pub fn name(&self) -> String {
        match (&self.data, &self.task, self.difficulty) {
            (None, Some(task), Some(difficulty)) => format!("{task}, difficulty {difficulty}"),
            (data, ..) => data.clone().unwrap_or_default(),
        }
    }
}

/// `eval --json`, and `eval.json` of a run.
#[derive(Debug, Clone, Serialize)]
pub struct EvaluationFile {
    model: String,
    #[serde(flatten)]
    asked: Asked,
    seed: u64,
    /// Of the drawn answers, or with a temperature of 0 of the greedy ones; absent if all were greedy, without a penalty.
    sampling: Option<Sampling>,
    max_tokens: usize,
    /// Figures and samples.
    #[serde(flatten)]
    pub evaluation: Evaluation,
}

impl EvaluationFile {
    /// What `protocol` found about `model`.
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

/// An evaluation without the text of every answer.
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
