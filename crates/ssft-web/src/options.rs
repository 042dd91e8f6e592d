//! Options of a session's calls. Names are those of the settings of a run and of the JSON that the program writes, with `_` for `-`.

use crate::error::SessionError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ssft_data::dataset::{Limits, parse_records};
use ssft_decode::answer::Judge;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use ssft_model::config::Preset;
use ssft_run::settings::{Layers, MOST_TOKENS, Origin, Scope, Settings, setting};
use ssft_run::{RunError, Split, task};

fn refused(call: &'static str, what: String) -> SessionError {
    SessionError::Argument { call, what }
}

/// A setting's key as an option of JavaScript.
pub fn underscored(key: &str) -> String {
    key.replace('-', "_")
}

/// An error of `ssft-run` about the options of `call`.
fn of_call(call: &'static str) -> impl Fn(RunError) -> SessionError {
    move |error| match error {
        RunError::Unknown { key } => refused(call, format!("unknown option {}", underscored(&key))),
        error => refused(call, error.spelled(underscored)),
    }
}

/// Options of `newModel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelOptions {
    /// Shape of the model.
    pub preset: Preset,
    /// Number of forking tokens.
    pub forks: usize,
    /// Longest row, in tokens.
    pub context: usize,
    /// Seed of the weights.
    pub seed: u64,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { preset: Preset::Toy, forks: 6, context: 512, seed: 1 }
    }
}

impl ModelOptions {
    /// Refuses sizes that a page has no room for.
    ///
    /// # Errors
    /// [`SessionError::Argument`].
    pub fn check(&self) -> Result<(), SessionError> {
        let sizes = [("forks", self.forks, 1, 64), ("context", self.context, 8, 4096)];
        in_range("newModel", &sizes)
    }
}

fn in_range(call: &'static str, sizes: &[(&str, usize, usize, usize)]) -> Result<(), SessionError> {
    match sizes.iter().find(|(_, value, least, most)| value < least || value > most) {
        Some((name, value, least, most)) => {
            Err(refused(call, format!("{name} is {value}; give {least} to {most}")))
        }
        None => Ok(()),
    }
}

/// `"all"`, `"auto"` or the number of a fork, from 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "give \"all\", \"auto\" or the number of a fork, from 1")]
pub enum Forks {
    /// `"all"` or `"auto"`.
    Word(String),
    /// One fork.
    One(usize),
}

/// Options of `generate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateOptions {
    /// Forks that answer.
    pub forks: Forks,
    /// Task that judges; that of the training under way if not given.
    pub task: Option<String>,
    /// Form of answers that no task judges.
    pub answers: AnswerFormat,
    #[allow(missing_docs, reason = "see `Sampling`")]
    pub temperature: f64,
    #[allow(missing_docs, reason = "see `Sampling`")]
    pub top_k: usize,
    #[allow(missing_docs, reason = "see `Sampling`")]
    pub top_p: f64,
    #[allow(missing_docs, reason = "see `Sampling`")]
    pub min_p: f64,
    #[allow(missing_docs, reason = "see `Sampling`")]
    pub repetition_penalty: f64,
    /// Strings that end an answer.
    pub stop: Vec<String>,
    /// Most tokens of an answer.
    pub max_tokens: usize,
    /// Seed of the draws.
    pub seed: u64,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        let Sampling { repetition_penalty, temperature, top_k, top_p, min_p } = Sampling::GREEDY;
        Self {
            forks: Forks::Word("all".to_owned()),
            task: None,
            answers: AnswerFormat::Exact,
            temperature,
            top_k,
            top_p,
            min_p,
            repetition_penalty,
            stop: Vec::new(),
            max_tokens: 512,
            seed: 1,
        }
    }
}

impl GenerateOptions {
    /// How tokens are drawn.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for a value out of range.
    pub fn sampling(&self) -> Result<Sampling, SessionError> {
        in_range("generate", &[("max_tokens", self.max_tokens, 1, MOST_TOKENS)])?;
        if self.stop.iter().any(String::is_empty) {
            return Err(refused(
                "generate",
                "stop has an empty string; give the text that ends an answer".to_owned(),
            ));
        }
        let &Self { repetition_penalty, temperature, top_k, top_p, min_p, .. } = self;
        let sampling = Sampling { repetition_penalty, temperature, top_k, top_p, min_p };
        sampling.problem().map_or(Ok(sampling), |what| Err(refused("generate", what)))
    }

    /// The forks that are meant.
    ///
    /// # Errors
    /// [`SessionError::Forks`].
    pub fn choice(&self) -> Result<ForkChoice, SessionError> {
        Ok(match &self.forks {
            Forks::Word(word) => word.parse()?,
            Forks::One(fork) => fork.to_string().parse()?,
        })
    }

    /// The judge that the options name, if they name one.
    ///
    /// # Errors
    /// [`SessionError::Argument`] if there is no such task.
    pub fn judge(&self) -> Result<Option<Judge>, SessionError> {
        let of = |name: &String| task(name).map(Judge::Task).map_err(of_call("generate"));
        self.task.as_ref().map(of).transpose()
    }
}

/// Options of `questions` and `startTraining`: the settings of a run that the browser offers, and `data`, the lines of a data file
/// in place of a task. A saved session keeps them in `trainer/options.json`.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainOptions {
    /// Settings of the run.
    pub settings: Settings,
    /// The lines of a data file.
    pub data: Option<String>,
}

impl Default for TrainOptions {
    /// A training that a page finishes while somebody watches.
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
    /// Reads the options of `call`.
    ///
    /// # Errors
    /// [`SessionError::Argument`] names the option that is unknown, of another type or out of range.
    pub fn read(call: &'static str, options: Value) -> Result<Self, SessionError> {
        let Value::Object(options) = options else {
            return Err(refused(call, "the options are not a plain object".to_owned()));
        };
        let mut given: Map<String, Value> =
            options.into_iter().map(|(name, value)| (name.replace('_', "-"), value)).collect();
        let data: Option<String> = field(call, "data", given.remove("data").unwrap_or_default())?;
        if let Some(name) = given.keys().find(|key| !offered(key)) {
            return Err(of_call(call)(RunError::Unknown { key: name.clone() }));
        }
        let mut layers = Layers::new(&Self::default().settings);
        layers.add(given, Origin::Flag).map_err(of_call(call))?;
        Ok(Self { settings: layers.settings().map_err(of_call(call))?, data })
    }

    /// The options as JavaScript gives them, every one of them.
    pub fn to_json(&self) -> Value {
        let settings = serde_json::to_value(&self.settings).unwrap_or_default();
        let settings = settings.as_object().into_iter().flatten();
        let offered = settings.filter(|(key, _)| offered(key));
        let mut options: Map<String, Value> =
            offered.map(|(key, value)| (underscored(key), value.clone())).collect();
        options.insert("data".to_owned(), self.data.clone().into());
        Value::Object(options)
    }

    /// Questions of the training and those held out; of own data none are held out.
    ///
    /// # Errors
    /// [`SessionError::Argument`] of `call`, [`SessionError::Data`].
    pub fn split(&self, call: &'static str) -> Result<Split, SessionError> {
        match &self.data {
            None => Split::of_task(&self.settings).map_err(of_call(call)),
            Some(data) => {
                let train = parse_records("data", data.as_bytes(), &Limits::default())?;
                Ok(Split { train, held_out: Vec::new(), judge: Judge::Reference(self.settings.answers) })
            }
        }
    }
}

/// True for a setting that the browser offers.
fn offered(key: &str) -> bool {
    setting(key).is_some_and(|setting| setting.scope == Scope::Everywhere)
}

fn field<T: DeserializeOwned>(call: &'static str, name: &str, value: Value) -> Result<T, SessionError> {
    serde_json::from_value(value).map_err(|error| refused(call, format!("{name}: {error}")))
}

/// Options of `train`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopOptions {
    /// Most steps of this call; the training's own end is another limit.
    pub steps: usize,
    /// Reports with the cost matrices of the step's questions: every so many steps; 0 for none.
    pub probe_every: usize,
    /// Seconds between two saved states.
    pub save_every_s: f64,
}

impl Default for LoopOptions {
    fn default() -> Self {
        Self { steps: usize::MAX, probe_every: 5, save_every_s: 10.0 }
    }
}

impl LoopOptions {
    /// Refuses an interval that is not a number of 0 or more.
    ///
    /// # Errors
    /// [`SessionError::Argument`].
    pub fn check(&self) -> Result<(), SessionError> {
        let seconds = self.save_every_s;
        if seconds.is_nan() || seconds < 0.0 {
            return Err(refused("train", format!("save_every_s is {seconds}; give 0 or more seconds")));
        }
        Ok(())
    }
}

/// Options of `evaluate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateOptions {
    /// Most held-out questions to ask.
    pub questions: usize,
}

impl EvaluateOptions {
    /// Refuses 0 questions.
    ///
    /// # Errors
    /// [`SessionError::Argument`].
    pub fn check(&self) -> Result<(), SessionError> {
        in_range("evaluate", &[("questions", self.questions, 1, usize::MAX)])
    }
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { questions: usize::MAX }
    }
}
