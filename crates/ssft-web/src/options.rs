//! What the calls of a session may be told. Names are those of `config.toml` and of the JSON that the program writes,
//! with `_` for `-`.

use crate::error::SessionError;
use serde::{Deserialize, Serialize};
use ssft_decode::answer::Judge;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use ssft_model::config::Preset;
use ssft_model::trained::Trained;
use ssft_tasks::{self, Task, TaskData, TaskSpec};
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::{AdamWSettings, Matching, Method, Settings};

fn refused(call: &'static str, what: String) -> SessionError {
    SessionError::Argument { call, what }
}

/// The built-in task called `name`.
///
/// # Errors
/// [`SessionError::Argument`] names those there are.
pub fn task(call: &'static str, name: &str) -> Result<&'static dyn Task, SessionError> {
    tasks::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = tasks::all().iter().map(|task| task.name()).collect();
        refused(call, format!("there is no task \"{name}\"; built in: {}", known.join(", ")))
    })
}

/// Of `newModel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelOptions {
    /// Its shape.
    pub preset: Preset,
    /// Number of forking tokens.
    pub forks: usize,
    /// Most tokens of a row.
    pub context: usize,
    /// Of its weights.
    pub seed: u64,
}

impl Default for ModelOptions {
    fn default() -> Self {
        Self { preset: Preset::Toy, forks: 6, context: 512, seed: 1 }
    }
}

impl ModelOptions {
    /// Refuses what nobody can mean.
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

/// `"all"`, `"auto"` or a number from 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "give \"all\", \"auto\" or the number of a fork, from 1")]
pub enum Forks {
    /// A word.
    Word(String),
    /// One fork.
    One(usize),
}

/// Of `generate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateOptions {
    /// Who answers.
    pub forks: Forks,
    /// The task that judges; that of the training under way, if nothing is said.
    pub task: Option<String>,
    /// Where the answer stands in a text that no task judges.
    pub answers: AnswerFormat,
    /// As `generate --temperature` and so on.
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
    /// Of the draws.
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
    /// [`SessionError::Argument`] for what is out of range.
    pub fn sampling(&self) -> Result<Sampling, SessionError> {
        in_range("generate", &[("max_tokens", self.max_tokens, 1, 1 << 20)])?;
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
}

/// Of `questions` and `startTraining`: where questions come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TaskOptions {
    /// A built-in task.
    pub task: String,
    /// Its level.
    pub difficulty: u8,
    /// Questions to learn from.
    pub train_questions: usize,
    /// Questions held out.
    pub eval_questions: usize,
    /// Of the questions.
    pub seed: u64,
}

impl Default for TaskOptions {
    fn default() -> Self {
        Self {
            task: "arithmetic".to_owned(),
            difficulty: 1,
            train_questions: 500,
            eval_questions: 20,
            seed: 1,
        }
    }
}

/// Most of anything that is counted.
const MOST: usize = 1 << 20;

impl TaskOptions {
    /// The questions.
    ///
    /// # Errors
    /// [`SessionError::Argument`] of `call`.
    pub fn make(&self, call: &'static str) -> Result<TaskData, SessionError> {
        let (train, test) = (self.train_questions, self.eval_questions);
        in_range(call, &[("train_questions", train, 1, MOST), ("eval_questions", test, 0, MOST)])?;
        let spec = TaskSpec { train, test, difficulty: self.difficulty, seed: self.seed };
        task(call, &self.task)?.make(&spec).map_err(|error| refused(call, error.to_string()))
    }
}

/// Of `startTraining`; a saved session keeps them in `trainer/options.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is the flag of the same name of `ssft-wgpu train`")]
pub struct TrainOptions {
    pub task: String,
    pub difficulty: u8,
    pub train_questions: usize,
    pub eval_questions: usize,
    /// The lines of a data file, in place of a task.
    pub data: Option<String>,
    pub answers: AnswerFormat,
    pub method: Method,
    pub match_tokens: usize,
    pub matching: Matching,
    pub batch_questions: usize,
    pub accumulate: usize,
    pub memory_budget: usize,
    pub steps: usize,
    pub lr: f64,
    pub warmup_steps: usize,
    pub schedule: Shape,
    pub weight_decay: f64,
    pub clip_norm: f64,
    pub seed: u64,
}

impl Default for TrainOptions {
    /// What a page can do while somebody watches.
    fn default() -> Self {
        let TaskOptions { task, difficulty, train_questions, eval_questions, seed } = TaskOptions::default();
        Self {
            task,
            difficulty,
            train_questions,
            eval_questions,
            data: None,
            answers: AnswerFormat::Exact,
            method: Method::Ssft,
            match_tokens: 8,
            matching: Matching::Lazy,
            batch_questions: 4,
            accumulate: 1,
            memory_budget: 256,
            steps: 1000,
            lr: 4e-3,
            warmup_steps: 20,
            schedule: Shape::Cosine,
            weight_decay: 0.01,
            clip_norm: 1.0,
            seed,
        }
    }
}

impl TrainOptions {
    /// Refuses what is out of range.
    ///
    /// # Errors
    /// [`SessionError::Argument`] names it.
    pub fn check(&self) -> Result<(), SessionError> {
        in_range(
            "startTraining",
            &[
                ("match_tokens", self.match_tokens, 1, MOST),
                ("batch_questions", self.batch_questions, 1, 1024),
                ("accumulate", self.accumulate, 1, 1024),
                ("memory_budget", self.memory_budget, 16, 4096),
                ("steps", self.steps, 1, MOST),
            ],
        )?;
        let numbers = [
            ("lr", self.lr, f64::MIN_POSITIVE),
            ("weight_decay", self.weight_decay, 0.0),
            ("clip_norm", self.clip_norm, 0.0),
        ];
        match numbers.iter().find(|(_, value, least)| !value.is_finite() || value < least) {
            Some((name, value, 0.0)) => {
                Err(refused("startTraining", format!("{name} is {value}; give 0 or more")))
            }
            Some((name, value, _)) => {
                Err(refused("startTraining", format!("{name} is {value}; give a number above 0")))
            }
            None => Ok(()),
        }
    }

    /// Where the questions come from, if it is a task.
    pub fn task(&self) -> TaskOptions {
        TaskOptions {
            task: self.task.clone(),
            difficulty: self.difficulty,
            train_questions: self.train_questions,
            eval_questions: self.eval_questions,
            seed: self.seed,
        }
    }

    /// Who judges held-out answers.
    ///
    /// # Errors
    /// [`SessionError::Argument`] if there is no such task.
    pub fn judge(&self) -> Result<Judge, SessionError> {
        Ok(match self.data {
            Some(_) => Judge::Reference(self.answers),
            None => Judge::Task(task("startTraining", &self.task)?),
        })
    }

    /// What a trainer is told.
    pub fn settings(&self) -> Settings {
        Settings {
            method: self.method,
            match_tokens: self.match_tokens,
            matching: self.matching,
            batch_questions: self.batch_questions,
            accumulate: self.accumulate,
            memory_budget: (self.memory_budget as u64) << 20,
            trained: Trained::All,
            schedule: Schedule {
                peak: self.lr,
                warmup_steps: self.warmup_steps,
                steps: self.steps,
                shape: self.schedule,
            },
            adamw: AdamWSettings {
                weight_decay: self.weight_decay,
                clip_norm: self.clip_norm,
                ..AdamWSettings::default()
            },
            seed: self.seed,
        }
    }
}

/// Of `train`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopOptions {
    /// Steps to do at most; the training's own end is another limit.
    pub steps: usize,
    /// Every so many steps a report comes with the cost matrices of the step's questions; 0: never.
    pub probe_every: usize,
    /// Seconds between two states that are handed over.
    pub save_every_s: f64,
}

impl Default for LoopOptions {
    fn default() -> Self {
        Self { steps: usize::MAX, probe_every: 5, save_every_s: 10.0 }
    }
}

impl LoopOptions {
    /// Refuses what nobody can mean.
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

/// Of `evaluate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluateOptions {
    /// Held-out questions to ask at most.
    pub questions: usize,
}

impl EvaluateOptions {
    /// Refuses what nobody can mean.
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
