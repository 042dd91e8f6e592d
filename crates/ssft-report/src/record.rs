//! A run directory, read back.

use crate::error::ReportError;
use crate::evaluation::EvaluationRecord;
use serde_json::Value;
use ssft_data::forks::ForkTable;
use ssft_run::settings::Settings;
use ssft_run::store::{Asked, metrics, read_settings};
use ssft_train::Method;
use std::collections::HashMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// What a run directory holds for a report.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Name of the directory.
    pub name: String,
    /// Settings of the run.
    pub config: Settings,
    /// Lines of `metrics.jsonl`, one for each step.
    pub steps: Vec<Value>,
    /// `eval.json`; none before the evaluation.
    pub evaluation: Option<EvaluationRecord>,
    /// `forks.json` of the model, with the matches of each fork and source in the last epoch; none before the model is written.
    pub forks: Option<ForkTable>,
}

/// Share of a run's steps after which [`RunRecord::final_stability`] averages.
const LATE_FROM: f64 = 0.9;

impl RunRecord {
    /// Reads the run in `directory`.
    ///
    /// # Errors
    /// [`ReportError`] if there is no run, if a file is damaged, or if `eval.json` is about other questions.
    pub fn read(directory: &Path) -> Result<Self, ReportError> {
        let name = directory.display().to_string();
        // `.` has no file name; its canonical path has one.
        let full = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let config = directory.join("config.toml");
        if !config.exists() {
            return Err(ReportError::NoRun { directory: name });
        }
        let steps = metrics::read(&directory.join("metrics.jsonl"))
            .map_err(|error| damaged(directory, "metrics.jsonl", error.to_string()))?;
        let evaluation = read_evaluation(directory)?;
        let settings = read_settings(&config)?;
        if let Some(evaluation) = &evaluation
            && let Some(key) = evaluation.asked_other_than(&Asked::held_out(&settings))?
        {
            return Err(ReportError::OtherQuestions { directory: name, key });
        }
        let forks = fs::read(directory.join("model/forks.json")).ok();
        let forks = forks.map(|bytes| ForkTable::from_json("model/forks.json", &bytes)).transpose();
        Ok(Self {
            name: full.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            config: settings,
            steps,
            evaluation,
            forks: forks.map_err(|error| ReportError::Forks { directory: name, why: error.to_string() })?,
        })
    }

    /// The task with its difficulty, or the file of the questions.
    pub fn data(&self) -> String {
        match (&self.config.data, &self.config.task) {
            (None, Some(task)) => format!("{task}, difficulty {}", self.config.difficulty),
            (data, _) => data.as_ref().map_or_else(String::new, |path| path.display().to_string()),
        }
    }

    /// Points (step, share): the share of the step's traces that have the fork that they had when their question was trained
    /// on before. Empty for methods without a matching.
    pub fn stability(&self) -> Vec<(f64, f64)> {
        if !matches!(self.config.method, Method::Ssft | Method::SsftRandom) {
            return Vec::new();
        }
        let mut before: HashMap<&str, &Value> = HashMap::new();
        let mut shares = Vec::new();
        for line in &self.steps {
            let (mut kept, mut traces) = (0, 0);
            for matched in array(&line["matches"]) {
                let Some(id) = matched["id"].as_str() else { continue };
                let Some(earlier) = before.insert(id, &matched["forks"]) else { continue };
                for (earlier, now) in array(earlier).iter().zip(array(&matched["forks"])) {
                    traces += 1;
                    kept += usize::from(earlier == now);
                }
            }
            if traces > 0 {
                shares.push((line["step"].as_f64().unwrap_or_default(), kept as f64 / traces as f64));
            }
        }
        shares
    }

    /// Mean of [`RunRecord::stability`] over the last tenth of the run.
    pub fn final_stability(&self) -> Option<f64> {
        let last = self.steps.last()?["step"].as_f64()?;
        let late: Vec<f64> = self
            .stability()
            .into_iter()
            .filter(|(step, _)| *step > LATE_FROM * last)
            .map(|(_, share)| share)
            .collect();
        (!late.is_empty()).then(|| late.iter().sum::<f64>() / late.len() as f64)
    }

    /// Points (step, value) of a figure of `metrics.jsonl`: `loss`.
    pub fn series(&self, key: &str) -> Vec<(f64, f64)> {
        let point = |line: &Value| Some((line["step"].as_f64()?, line[key].as_f64()?));
        self.steps.iter().filter_map(point).collect()
    }
}

fn read_evaluation(directory: &Path) -> Result<Option<EvaluationRecord>, ReportError> {
    let read = || -> io::Result<Option<EvaluationRecord>> {
        match fs::read(directory.join("eval.json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => Ok(Some(EvaluationRecord::from_json(&read?)?)),
        }
    };
    read().map_err(|error| damaged(directory, "eval.json", error.to_string()))
}

fn damaged(directory: &Path, file: &str, why: String) -> ReportError {
    ReportError::Damaged { file: format!("{}/{file}", directory.display()), why }
}

/// The elements of an array; none of any other value.
fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
impl RunRecord {
    /// A run with two forks and no steps, named `METHOD-SEED`.
    pub(crate) fn for_test(method: Method, seed: u64, evaluation: Value) -> Self {
        Self {
            name: format!("{}-{seed}", method.name()),
            config: Settings { method, seed, forks: 2, ..Settings::default() },
            steps: Vec::new(),
            evaluation: Some(evaluation.into()),
            forks: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stability_by_hand() {
        let line = |step: usize, id: &str, forks: [usize; 2]| json!({"step": step, "matches": [{"id": id, "forks": forks}]});
        let record = RunRecord {
            name: String::new(),
            config: Settings::default(),
            steps: vec![
                line(1, "a", [1, 2]),
                line(2, "b", [1, 2]),
                line(3, "a", [1, 3]),
                line(4, "b", [1, 2]),
                line(5, "a", [3, 1]),
            ],
            evaluation: None,
            forks: None,
        };
        assert_eq!(record.stability(), [(3.0, 0.5), (4.0, 1.0), (5.0, 0.0)]);
        assert_eq!(record.final_stability(), Some(0.0));
    }
}
