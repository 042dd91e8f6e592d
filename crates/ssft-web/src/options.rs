//! Options of a session's calls, except those of a training ([`ssft_run::TrainOptions`]). Names are those of the JSON files that
//! the native program writes.

use crate::error::SessionError;
use serde::Deserialize;
use serde_json::{Map, Value};
use ssft_decode::answer::Judge;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use ssft_run::TrainOptions;
use ssft_run::in_memory::NewModel;
use ssft_run::settings::MOST_TOKENS;
use ssft_run::task;

/// Smallest and largest number of forking tokens of a new model.
const FORKS: (usize, usize) = (1, 64);
/// Smallest and largest context of a new model, in tokens.
const CONTEXT: (usize, usize) = (8, 4096);

fn refused(call: &'static str, what: String) -> SessionError {
    SessionError::Argument { call, what }
}

/// Refuses a new model that is too large for a page.
///
/// # Errors
/// [`SessionError::Argument`] with the range.
pub fn check_new_model(options: &NewModel) -> Result<(), SessionError> {
    let ((least_forks, most_forks), (least_context, most_context)) = (FORKS, CONTEXT);
    let sizes = [
        ("forks", options.forks, least_forks, most_forks),
        ("context", options.context, least_context, most_context),
    ];
    in_range("newModel", &sizes)
}

fn in_range(call: &'static str, sizes: &[(&str, usize, usize, usize)]) -> Result<(), SessionError> {
    match sizes.iter().find(|(_, value, least, most)| value < least || value > most) {
        Some((name, value, least, most)) => {
            Err(refused(call, format!("{name} is {value}; give {least} to {most}")))
        }
        None => Ok(()),
    }
}

/// Selection of forks: `"all"`, `"auto"` or the number of a fork, from 1.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "give \"all\", \"auto\" or the number of a fork, from 1")]
pub enum Forks {
    /// `"all"` or `"auto"`.
    Word(String),
    /// The number of one fork, from 1.
    One(usize),
}

/// Options of `generate`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GenerateOptions {
    /// Forks that answer.
    pub forks: Forks,
    /// Task that judges the answers; if not given, that of the model's training.
    pub task: Option<String>,
    /// Form of answers without a task.
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
    /// Texts that end an answer.
    pub stop: Vec<String>,
    /// Largest number of tokens of an answer.
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
    /// Sampling of the answers.
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

    /// Choice of the forks that answer.
    ///
    /// # Errors
    /// [`SessionError::Forks`] for a word other than `all` and `auto`, and for 0.
    pub fn choice(&self) -> Result<ForkChoice, SessionError> {
        Ok(match &self.forks {
            Forks::Word(word) => word.parse()?,
            Forks::One(fork) => fork.to_string().parse()?,
        })
    }

    /// Judge of [`Self::task`]; `None` if no task is given.
    ///
    /// # Errors
    /// [`SessionError::Argument`] for an unknown task.
    pub fn judge(&self) -> Result<Option<Judge>, SessionError> {
        let of = |name: &String| {
            task(name).map(Judge::Task).map_err(|error| SessionError::of_call("generate", error))
        };
        self.task.as_ref().map(of).transpose()
    }
}

/// Options of `train`.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LoopOptions {
    /// Largest number of steps of this call. The call also ends with the last step of the training.
    pub steps: usize,
    /// Number of steps between two reports with the cost matrices of the step's questions; 0 for none.
    pub probe_every: usize,
    /// Time between two saved states, in seconds.
    pub save_every_s: f64,
}

impl Default for LoopOptions {
    fn default() -> Self {
        Self { steps: usize::MAX, probe_every: 5, save_every_s: 10.0 }
    }
}

impl LoopOptions {
    /// Refuses a `save_every_s` that is negative or not a number.
    ///
    /// # Errors
    /// [`SessionError::Argument`] with the range.
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
    /// Largest number of held-out questions to ask.
    pub questions: usize,
}

impl EvaluateOptions {
    /// Refuses 0 questions.
    ///
    /// # Errors
    /// [`SessionError::Argument`] with the range.
    pub fn check(&self) -> Result<(), SessionError> {
        in_range("evaluate", &[("questions", self.questions, 1, usize::MAX)])
    }
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        Self { questions: usize::MAX }
    }
}

/// Names of the options of `questions`, a part of those of a training.
const QUESTION_OPTIONS: [&str; 5] = ["task", "difficulty", "train_questions", "eval_questions", "seed"];

/// Reads the options of `questions`.
///
/// # Errors
/// [`SessionError::Argument`] names the option that is unknown, of another type or out of range.
pub fn question_options(options: Value) -> Result<TrainOptions, SessionError> {
    let names = options.as_object().into_iter().flat_map(Map::keys);
    if let Some(name) = names.into_iter().find(|name| !QUESTION_OPTIONS.contains(&name.as_str())) {
        return Err(refused("questions", format!("unknown option {name}")));
    }
    train_options("questions", options)
}

/// Reads the options of a training, given to `call`. A page has less room than a machine.
///
/// # Errors
/// [`SessionError::Argument`] names the option that is unknown, of another type or out of range.
pub fn train_options(call: &'static str, options: Value) -> Result<TrainOptions, SessionError> {
    let read = TrainOptions::read(options).map_err(|error| SessionError::of_call(call, error))?;
    let settings = &read.settings;
    let budget = settings.memory_budget.unwrap_or(LEAST_BUDGET);
    let sizes = [
        ("batch_questions", settings.batch_questions, 1, MOST_PASSES),
        ("accumulate", settings.accumulate, 1, MOST_PASSES),
        ("memory_budget", budget, LEAST_BUDGET, MOST_BUDGET),
        ("steps", settings.steps.unwrap_or(1), 1, MOST_TOKENS),
        ("train_questions", settings.train_questions, 1, MOST_TOKENS),
        ("eval_questions", settings.eval_questions, 0, MOST_TOKENS),
    ];
    in_range(call, &sizes)?;
    Ok(read)
}

/// Largest batch, and most batches of a step.
const MOST_PASSES: usize = 1024;
/// Range of the memory budget, in MiB: a module has 4 GiB.
const LEAST_BUDGET: usize = 16;
const MOST_BUDGET: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_that_a_page_has_no_room_for_are_refused() {
        for (options, says) in [
            (json!({"memory_budget": 8192}), "memory_budget is 8192; give 16 to 4096"),
            (json!({"batch_questions": 4096}), "batch_questions is 4096; give 1 to 1024"),
            (json!({"steps": 2_000_000}), "steps is 2000000; give 1 to 1048576"),
            (json!({"stepz": 1}), "unknown option stepz"),
            (json!({"steps": null}), "steps = null cannot be used; leave it out for the default"),
        ] {
            let refused = train_options("startTraining", options).unwrap_err().to_string();
            assert_eq!(refused, format!("startTraining: {says}"));
        }
        let refused = question_options(json!({"lr": 1})).unwrap_err().to_string();
        assert_eq!(refused, "questions: unknown option lr");
    }
}
