//! A run as it lies on disk, for those who look back at it.

use crate::exit::Failure;
use serde_json::Value;
use ssft_data::forks::ForkTable;
use ssft_run::settings::Settings;
use ssft_run::store::{Asked, metrics, read_settings};
use ssft_train::Method;
use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

/// Everything a report is made of.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Name of the directory.
    pub name: String,
    /// Every setting.
    pub config: Settings,
    /// The lines of `metrics.jsonl`.
    pub steps: Vec<Value>,
    /// `eval.json`, if the run was evaluated.
    pub evaluation: Option<Value>,
    /// Which fork was matched to which source in the last epoch, if there is a model yet.
    pub forks: Option<ForkTable>,
}

impl RunRecord {
    /// Reads the run in `directory`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it is none, or names the file that is damaged.
    pub fn read(directory: &Path) -> Result<Self, Failure> {
        let name = directory.display();
        // `.` has no name of its own.
        let full = directory.canonicalize().unwrap_or_else(|_| directory.to_owned());
        let config = directory.join("config.toml");
        if !config.exists() {
            return Err(Failure::Usage(format!("{name} holds no run; give the directory of a run")));
        }
        let damaged = |file: &str, why: String| {
            Failure::Usage(format!("{name}/{file}: {why}; it is damaged: evaluate or train anew"))
        };
        let steps = metrics::read(&directory.join("metrics.jsonl"))
            .map_err(|error| damaged("metrics.jsonl", error.to_string()))?;
        let evaluation = match fs::read(directory.join("eval.json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            read => Some(read.map_err(|error| damaged("eval.json", error.to_string()))?),
        };
        let evaluation: Option<Value> = evaluation
            .map(|bytes| serde_json::from_slice(&bytes))
            .transpose()
            .map_err(|error| damaged("eval.json", error.to_string()))?;
        let settings = read_settings(&config)?;
        let own = serde_json::to_value(Asked::held_out(&settings)).map_err(Failure::run)?;
        if let Some(key) = ["task", "difficulty", "data"]
            .into_iter()
            .find(|key| evaluation.as_ref().is_some_and(|evaluation| evaluation[key] != own[key]))
        {
            return Err(Failure::Usage(format!(
                "{name}/eval.json is of another {key} than the run; evaluate the run's own questions, or remove it"
            )));
        }
        let forks = fs::read(directory.join("model/forks.json")).ok();
        let forks = forks.map(|bytes| ForkTable::from_json("model/forks.json", &bytes)).transpose();
        Ok(Self {
            name: full.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            config: settings,
            steps,
            evaluation,
            forks: forks.map_err(|error| Failure::Usage(format!("{name}: {error}")))?,
        })
    }

    /// What was learned, in words.
    pub fn data(&self) -> String {
        match (&self.config.data, &self.config.task) {
            (None, Some(task)) => format!("{task}, difficulty {}", self.config.difficulty),
            (data, _) => data.as_ref().map_or_else(String::new, |path| path.display().to_string()),
        }
    }

    /// For every step at which a question came up again: the step, and the share of its traces that kept the fork which
    /// they had the time before. Nothing for methods that leave forks no choice.
    pub fn stability(&self) -> Vec<(f64, f64)> {
        if !matches!(self.config.method, Method::Ssft | Method::SsftRandom) {
            return Vec::new();
        }
        let mut before: HashMap<&str, &Value> = HashMap::new();
        let mut shares = Vec::new();
        for line in &self.steps {
            let (mut kept, mut traces) = (0, 0);
            for matched in line["matches"].as_array().into_iter().flatten() {
                let Some(id) = matched["id"].as_str() else { continue };
                let Some(earlier) = before.insert(id, &matched["forks"]) else { continue };
                let pairs = earlier
                    .as_array()
                    .into_iter()
                    .flatten()
                    .zip(matched["forks"].as_array().into_iter().flatten());
                for (earlier, now) in pairs {
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

    /// The mean of [`RunRecord::stability`] over the last tenth of the run.
    pub fn final_stability(&self) -> Option<f64> {
        let last = self.steps.last()?["step"].as_f64()?;
        let late: Vec<f64> = self
            .stability()
            .into_iter()
            .filter(|(step, _)| *step > 0.9 * last)
            .map(|(_, share)| share)
            .collect();
        (!late.is_empty()).then(|| late.iter().sum::<f64>() / late.len() as f64)
    }

    /// A figure of every step that has it.
    pub fn series(&self, key: &str) -> Vec<(f64, f64)> {
        let point = |line: &Value| Some((line["step"].as_f64()?, line[key].as_f64()?));
        self.steps.iter().filter_map(point).collect()
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
