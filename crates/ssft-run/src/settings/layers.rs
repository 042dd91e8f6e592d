//! Settings from several places, the later ones over the earlier ones.

use super::{
    EXCLUSIVE, FINE_TUNING_RATE, MOST_TOKENS, Number, Questions, Settings, default_match_tokens, setting,
};
use crate::error::RunError;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The face's default.
    Default,
    /// A configuration file.
    File,
    /// A flag of the command line, or an option of a call in the browser.
    Flag,
}

/// Settings with the origin of each value.
///
/// ```
/// use ssft_run::settings::{Layers, Origin, Settings};
/// let mut layers = Layers::new(&Settings::default());
/// layers.add(serde_json::json!({"epochs": 2.0}).as_object().unwrap().clone(), Origin::Flag)?;
/// let settings = layers.settings()?;
/// assert_eq!((settings.steps, settings.epochs), (None, Some(2.0)));
/// assert_eq!(layers.origin("epochs"), Origin::Flag);
/// # Ok::<(), ssft_run::RunError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Layers {
    values: Map<String, Value>,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    /// Settings that are all defaults.
    pub fn new(defaults: &Settings) -> Self {
        Self { values: object(defaults), origins: BTreeMap::new() }
    }

    /// Puts a layer over those before. A value displaces the values that it excludes (`epochs` displaces `steps`).
    ///
    /// # Errors
    /// [`RunError::Unknown`] for a key that is no setting, [`RunError::Setting`] for a value of another type,
    /// [`RunError::Settings`] for two settings that exclude each other.
    pub fn add(&mut self, layer: Map<String, Value>, origin: Origin) -> Result<(), RunError> {
        for (key, value) in &layer {
            let Some(setting) = setting(key) else { return Err(RunError::Unknown { key: key.clone() }) };
            if value.is_null() {
                return Err(RunError::setting(key, "= null cannot be used; leave it out for the default"));
            }
            if let Some(problem) = Number::in_json(value).and_then(|number| setting.kind.problem(number)) {
                return Err(RunError::setting(key, &problem));
            }
            check_type(key, value)?;
        }
        for [one, other] in EXCLUSIVE {
            if layer.contains_key(one) && layer.contains_key(other) {
                return Err(RunError::Settings {
                    what: format!("has both {one} and {other}; keep one of them"),
                });
            }
        }
        for group in EXCLUSIVE {
            if group.iter().any(|key| layer.contains_key(*key)) {
                group.iter().for_each(|key| drop(self.values.insert((*key).to_owned(), Value::Null)));
            }
        }
        for (key, value) in layer {
            self.origins.insert(key.clone(), origin);
            self.values.insert(key, value);
        }
        Ok(())
    }

    /// The merged settings, checked. Defaults that depend on other settings are filled in here: a user's traces are long and may
    /// begin alike, so their L is larger; a pretrained model brings its own context and needs a small learning rate.
    ///
    /// # Errors
    /// [`RunError::Setting`] for a value out of range.
    pub fn settings(&self) -> Result<Settings, RunError> {
        let mut values = self.values.clone();
        let given = |key: &str| self.values.get(key).is_some_and(|value| !value.is_null());
        let mut fill = |key: &str, value: Value| {
            if self.origin(key) == Origin::Default {
                values.insert(key.to_owned(), value);
            }
        };
        if given("data") {
            fill("match-tokens", default_match_tokens(Questions::Data).into());
        }
        if given("model") {
            fill("context", MOST_TOKENS.into());
            fill("lr", FINE_TUNING_RATE.into());
        }
        let settings: Settings = serde_json::from_value(Value::Object(values))
            .map_err(|error| RunError::Settings { what: error.to_string() })?;
        settings.check()?;
        Ok(settings)
    }

    /// Where the value of `key` comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).copied().unwrap_or(Origin::Default)
    }

    /// True if somebody gave a value for `key`.
    pub fn is_given(&self, key: &str) -> bool {
        self.origin(key) != Origin::Default
    }
}

/// Refuses a value that the setting `key` cannot have by its type.
fn check_type(key: &str, value: &Value) -> Result<(), RunError> {
    let mut trial = object(&Settings::default());
    trial.insert(key.to_owned(), value.clone());
    match serde_json::from_value::<Settings>(Value::Object(trial)) {
        Ok(_) => Ok(()),
        Err(error) => Err(RunError::setting(key, &format!("= {value} cannot be used ({error})"))),
    }
}

fn object(settings: &Settings) -> Map<String, Value> {
    match serde_json::to_value(settings) {
        Ok(Value::Object(values)) => values,
        // Names, texts and finite numbers alone.
        other => panic!("settings are no JSON object: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn layers(layers: &[(Value, Origin)]) -> Result<(Layers, Settings), RunError> {
        let mut merged = Layers::new(&Settings::default());
        for (layer, origin) in layers {
            merged.add(layer.as_object().expect("an object").clone(), *origin)?;
        }
        let settings = merged.settings()?;
        Ok((merged, settings))
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let (merged, settings) =
            layers(&[(json!({"steps": 7, "lr": 0.5}), Origin::File), (json!({"lr": 0.25}), Origin::Flag)])
                .expect("merges");
        assert_eq!((settings.steps, settings.lr, settings.forks), (Some(7), 0.25, 6));
        let origins = ["steps", "lr", "forks"].map(|key| merged.origin(key));
        assert_eq!(origins, [Origin::File, Origin::Flag, Origin::Default]);
    }

    #[test]
    fn one_of_a_group_displaces_the_others() {
        let given = json!({"epochs": 2.0, "data": "a.jsonl"});
        let (_, settings) = layers(&[(given, Origin::Flag)]).expect("merges");
        assert_eq!((settings.steps, settings.epochs), (None, Some(2.0)));
        assert_eq!((settings.task, settings.data), (None, Some("a.jsonl".into())));
        assert_eq!(settings.match_tokens, 1000, "the paper's L for a user's data");
    }

    #[test]
    fn a_pretrained_model_gets_its_own_defaults() {
        let (_, settings) = layers(&[(json!({"model": "m"}), Origin::Flag)]).expect("merges");
        assert_eq!((settings.preset, settings.context), (None, MOST_TOKENS));
        assert_eq!(settings.lr, FINE_TUNING_RATE);
        let given = json!({"model": "m", "lr": 0.5, "context": 64});
        let (_, settings) = layers(&[(given, Origin::Flag)]).expect("merges");
        assert_eq!((settings.lr, settings.context), (0.5, 64));
    }

    #[test]
    fn bad_layers_are_named() {
        for (given, says) in [
            (json!({"stepz": 1}), "unknown setting \"stepz\""),
            (
                json!({"steps": "many"}),
                "`steps` = \"many\" cannot be used (invalid type: string \"many\", expected usize)",
            ),
            (json!({"steps": 1, "epochs": 1.0}), "has both steps and epochs; keep one of them"),
            (json!({"steps": 0}), "`steps` is 0; give 1 or more"),
            (json!({"forks": 999}), "`forks` is 999; give 1 to 256"),
            (json!({"steps": null}), "`steps` = null cannot be used; leave it out for the default"),
            (json!({"difficulty": 300}), "`difficulty` is 300; give 0 to 255"),
            (json!({"steps": 1.5}), "`steps` is 1.5; give 1 or more"),
            (json!({"match-tokens": 1 << 21}), "`match-tokens` is 2097152; give 1 to 1048576"),
            (
                json!({"batch-questions": 4096, "accumulate": 4096}),
                "`batch-questions` times `accumulate` is 16777216; give at most 1048576 questions a step",
            ),
            (json!({"fork-init": "a"}), "`fork-init` is for a `model`; leave it out"),
        ] {
            assert_eq!(layers(&[(given, Origin::Flag)]).expect_err(says).to_string(), says);
        }
    }
}
