//! Options of a training as a scripting language gives them: JSON, names with `_` for `-`. Used by the browser.

use crate::error::RunError;
use crate::questions::Split;
use crate::settings::{Layers, Origin, Scope, Settings, setting};
use serde_json::{Map, Value};
use ssft_data::dataset::{Limits, parse_records};
use ssft_decode::Judge;

/// Settings of a run that trains in memory, and its questions if they are no built-in task.
///
/// ```
/// use serde_json::json;
/// use ssft_run::TrainOptions;
/// let options = TrainOptions::read(json!({"task": "maze", "batch_questions": 2})).unwrap();
/// assert_eq!((options.settings.batch_questions, options.settings.steps), (2, Some(1000)));
/// let refused = TrainOptions::read(json!({"save_every": 5})).unwrap_err();
/// assert_eq!(refused.to_string(), "unknown setting \"save_every\"");
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Settings of the run.
    pub settings: Settings,
    /// The lines of a data file, in place of a task.
    pub data: Option<String>,
}

impl Default for TrainOptions {
    /// A training that finishes in minutes while somebody watches.
    fn default() -> Self {
        let settings = Settings {
            train_questions: 500,
            eval_questions: 20,
            batch_questions: 4,
            memory_budget: Some(256),
            steps: Some(1000),
            warmup_steps: 20,
            ..Settings::default()
        };
        Self { settings, data: None }
    }
}

impl TrainOptions {
    /// Reads options; those that are missing have their defaults.
    ///
    /// # Errors
    /// [`RunError::Unknown`], [`RunError::Setting`] for an option of another type or out of range.
    pub fn read(options: Value) -> Result<Self, RunError> {
        let Value::Object(mut options) = options else {
            return Err(RunError::Settings { what: "the options are not a plain object".to_owned() });
        };
        let data = match options.remove("data") {
            None | Some(Value::Null) => None,
            Some(Value::String(lines)) => Some(lines),
            Some(other) => {
                let problem = format!("= {other} cannot be used (expected the lines of a data file)");
                return Err(RunError::setting("data", &problem));
            }
        };
        let mut given = Map::new();
        for (name, value) in options {
            let key = name.replace('_', "-");
            if name.contains('-') || !is_offered(&key) {
                return Err(RunError::Unknown { key: name });
            }
            given.insert(key, value);
        }
        let mut layers = Layers::new(&Self::default().settings);
        layers.add(given, Origin::Flag)?;
        Ok(Self { settings: layers.settings()?, data })
    }

    /// All options, in the form that [`TrainOptions::read`] takes.
    pub fn to_json(&self) -> Value {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let settings = settings.as_object().into_iter().flatten();
        let offered = settings.filter(|(key, _)| is_offered(key));
        let mut options: Map<String, Value> =
            offered.map(|(key, value)| (underscored(key), value.clone())).collect();
        options.insert("data".to_owned(), self.data.clone().into());
        Value::Object(options)
    }

    /// Questions of the training and those held out; of own data none are held out.
    ///
    /// # Errors
    /// [`RunError::Data`] for a line that cannot be used or a task that does not exist.
    pub fn split(&self) -> Result<Split, RunError> {
        let Some(data) = &self.data else { return Split::of_task(&self.settings) };
        let train = parse_records("data", data.as_bytes(), &Limits::default()).map_err(RunError::data)?;
        Ok(Split { train, held_out: Vec::new(), judge: Judge::Reference(self.settings.answers) })
    }
}

/// True for a setting that every face offers.
fn is_offered(key: &str) -> bool {
    setting(key).is_some_and(|setting| setting.scope == Scope::Everywhere)
}

/// A setting's key as an option: `batch_questions`.
pub fn underscored(key: &str) -> String {
    key.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_out_of_range_are_named() {
        for (options, says) in [
            (json!({"steps": 0}), "steps is 0; give 1 or more"),
            (json!({"lr": 0}), "lr is 0; give a number above 0"),
            (json!({"clip_norm": -1}), "clip_norm is -1; give 0 or more"),
            (json!({"train_questions": 0}), "train_questions is 0; give 1 to 10000000"),
            (json!({"stepz": 1}), "unknown setting \"stepz\""),
            (json!({"save_every": 1}), "unknown setting \"save_every\""),
            (
                json!({"lr": "high"}),
                "lr = \"high\" cannot be used (invalid type: string \"high\", expected f64)",
            ),
            (json!({"data": 1}), "data = 1 cannot be used (expected the lines of a data file)"),
            (json!([]), "the options are not a plain object"),
        ] {
            assert_eq!(TrainOptions::read(options).unwrap_err().spelled(underscored), says);
        }
    }

    #[test]
    fn every_option_comes_back() {
        let options = json!({"task": "maze", "lr": 0.5, "batch_questions": 2, "data": "{}"});
        let read = TrainOptions::read(options).unwrap();
        assert_eq!((read.settings.lr, read.settings.batch_questions), (0.5, 2));
        assert_eq!(TrainOptions::read(read.to_json()).unwrap(), read);
    }
}
