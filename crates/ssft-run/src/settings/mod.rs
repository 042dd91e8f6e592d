//! Every setting of a training run, declared once.
//!
//! The table below is read by all faces: the command line makes a flag of each row (`--train-questions`), a configuration file
//! takes the same keys (`train-questions = 500`), the browser takes them with `_` (`train_questions: 500`). A new setting is a
//! new row here; [`Settings::trainer`] and the crate that acts on it are the other places to touch.

mod choices;
mod kind;
mod layers;

pub use choices::{DeviceChoice, DtypeChoice, LeadChoice, PromptForm, TemplateChoice};
pub use kind::{Kind, MOST_COUNT, MOST_QUESTIONS, MOST_TOKENS, Number};
pub use layers::{Layers, Origin};

use crate::error::RunError;
use kind::AsNumber;
use serde::{Deserialize, Serialize};
use ssft_decode::AnswerFormat;
use ssft_model::config::Preset;
use ssft_train::optimizer::AdamWSettings;
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::{Matching, Method};
use std::path::PathBuf;

/// One row of the table of settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// Name in kebab-case: `train-questions`.
    pub key: &'static str,
    help: &'static str,
    /// Heading that lists show it under.
    pub group: Group,
    /// Placeholder of its value: `COUNT`.
    pub placeholder: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Faces that offer it.
    pub scope: Scope,
}

impl Setting {
    /// What the setting is, without a period at its end. Other settings are named in backticks.
    pub fn help(&self) -> &'static str {
        self.help.trim().trim_end_matches('.')
    }
}

/// Heading that lists of settings show a setting under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Questions and how they become rows of tokens.
    Data,
    /// The model that training starts from and the one that it writes.
    Model,
    /// SSFT itself.
    Method,
    /// Optimizer and schedule.
    Training,
    /// Device, memory, evaluation and checkpoints.
    Run,
}

impl Group {
    /// `Data`, `Model`, ..
    pub fn name(self) -> &'static str {
        match self {
            Self::Data => "Data",
            Self::Model => "Model",
            Self::Method => "Method",
            Self::Training => "Training",
            Self::Run => "Run",
        }
    }
}

/// Faces that offer a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Command line, configuration file and browser.
    Everywhere,
    /// Command line and configuration file: files, adapters, checkpoints.
    Program,
}

/// A field's name with `-` for `_`, at compile time.
macro_rules! kebab_case {
    ($field:ident) => {{
        const NAME: &str = stringify!($field);
        const BYTES: [u8; NAME.len()] = with_dashes(NAME.as_bytes());
        const KEY: &str = match std::str::from_utf8(&BYTES) {
            Ok(key) => key,
            Err(_) => panic!("a field's name is ASCII"),
        };
        KEY
    }};
}

const fn with_dashes<const N: usize>(name: &[u8]) -> [u8; N] {
    let mut key = [0; N];
    let mut at = 0;
    while at < N {
        key[at] = if name[at] == b'_' { b'-' } else { name[at] };
        at += 1;
    }
    key
}

/// Declares [`Settings`], its defaults and [`SETTINGS`]: `field: type = default, group, placeholder, kind, scope;`.
macro_rules! settings {
    ($($(#[doc = $help:literal])+ $field:ident: $type:ty = $default:expr, $group:ident, $placeholder:literal, $kind:expr, $scope:ident;)+) => {
        /// Every setting of a run.
        ///
        /// ```
        /// use ssft_run::settings::Settings;
        /// let settings = Settings { steps: Some(10), ..Settings::default() };
        /// assert_eq!(settings.forks, 6);
        /// assert!(settings.check().is_ok());
        /// let refused = Settings { lr: -1.0, ..settings }.check().unwrap_err();
        /// assert_eq!(refused.to_string(), "`lr` is -1; give a number above 0");
        /// ```
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $help])+ pub $field: $type,)+
        }

        impl Default for Settings {
            /// The run of `train` without an argument.
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        /// The table of settings, in the order of its declaration.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            key: kebab_case!($field),
            help: concat!($($help),+),
            group: Group::$group,
            placeholder: $placeholder,
            kind: $kind,
            scope: Scope::$scope,
        },)+];

        impl Settings {
            /// The first value out of range: its key and what is wrong.
            fn out_of_range(&self) -> Option<(&'static str, String)> {
                $(if let Some(problem) = self.$field.as_number().and_then(|number| $kind.problem(number)) {
                    return Some((kebab_case!($field), problem));
                })+
                None
            }
        }
    };
}

settings! {
    /// Built-in task to learn.
    task: Option<String> = Some("arithmetic".to_owned()), Data, "NAME", Kind::Text, Everywhere;
    /// Your own questions: JSONL, one question with its correct traces a line.
    data: Option<PathBuf> = None, Data, "FILE", Kind::Path, Program;
    /// Level of the built-in task, from 1.
    difficulty: u8 = 1, Data, "LEVEL", Kind::Count { least: 0, most: u8::MAX as u64 }, Everywhere;
    /// Questions to generate for a built-in task.
    train_questions: usize = 4000, Data, "COUNT", Kind::questions(1), Everywhere;
    /// Held-out questions for the final evaluation; of your own data at most a tenth.
    eval_questions: usize = 200, Data, "COUNT", Kind::questions(0), Everywhere;
    /// Where your own data's texts have their answer, and when two answers are equal.
    answers: AnswerFormat = AnswerFormat::Exact, Data, "FORMAT", Kind::Choice(&[
        ("exact", "After the last `####`, compared character by character"),
        ("numeric", "The number after the last `####`, else the last number, compared by value"),
        ("boxed", "In the last \\boxed{..}; numbers and fractions compared by value"),
    ]), Everywhere;
    /// Longest row, in tokens.
    context: usize = 512, Data, "TOKENS", Kind::size(), Program;
    /// Vocabulary of the byte-level tokenizer that is trained on your own data.
    vocab_size: usize = 1024, Data, "TOKENS", Kind::Count { least: 0, most: MOST_TOKENS as u64 }, Program;

    /// Shape of a model that starts from random weights.
    preset: Option<Preset> = Some(Preset::Tiny), Model, "SHAPE", Kind::Choice(&[
        ("toy", "0.2 M parameters: learns in a browser, on a phone"),
        ("tiny", "0.9 M parameters: minutes on a laptop CPU"),
        ("demo", "0.6 M parameters: small enough for a web page"),
        ("small", "14 M parameters"),
    ]), Program;
    /// Start from this Hugging Face directory (Llama, Qwen2, Qwen3) instead of random weights.
    model: Option<PathBuf> = None, Model, "DIR", Kind::Path, Program;
    /// How a question becomes a prompt.
    template: TemplateChoice = TemplateChoice::Auto, Model, "HOW", Kind::Choice(&[
        ("auto", "That of the `model`; else plain, or chatml if a question is a chat"),
        ("plain", "The question's text alone"),
        ("chatml", "ChatML: `<|im_start|>role`, content, `<|im_end|>`"),
    ]), Program;
    /// Day that a chat template with a date in it shows, like 2026-03-31; today if not given.
    date: Option<String> = None, Model, "DAY", Kind::Text, Program;
    /// Text around a forking token.
    fork_lead: LeadChoice = LeadChoice::Auto, Model, "FORM", Kind::Choice(&[
        ("auto", "That of the `model` if it has forks; else chat after a template with `<|im_start|>`, and bare otherwise"),
        ("chat", "The paper's form: `<|im_start|><think1>` and a line end"),
        ("bare", "The forking token alone"),
    ]), Program;
    /// Token of the `model` whose rows new forking tokens start from, with a little noise; if not given, the first that it has
    /// of `<think>`, `<|im_start|>`, the beginning and the end of a sequence.
    fork_init: Option<String> = None, Model, "TOKEN", Kind::Text, Program;
    /// Type of the numbers in the final model; training and checkpoints are f32.
    dtype: DtypeChoice = DtypeChoice::Auto, Model, "TYPE", Kind::Choice(&[
        ("auto", "That of the `model`; else f32"),
        ("f32", "4 bytes a weight, as trained"),
        ("f16", "2 bytes a weight, up to 65504"),
        ("bf16", "2 bytes a weight, the upper half of an f32"),
    ]), Program;

    /// Which forking token precedes a trace.
    method: Method = Method::Ssft, Method, "ARM", Kind::Choice(&[
        ("sft", "The first trace of each question, always `<think1>`"),
        ("sft-mixed", "All traces, always `<think1>`"),
        ("ssft-random", "All traces, a random injective assignment each step"),
        ("ssft", "All traces, the optimal matching"),
    ]), Everywhere;
    /// N: number of forking tokens; at least as many as a question has traces.
    forks: usize = 6, Method, "N", Kind::Count { least: 1, most: MOST_FORKS as u64 }, Program;
    /// L: number of trace tokens that enter the matching cost.
    match_tokens: usize = default_match_tokens(Questions::Task), Method, "L", Kind::size(), Everywhere;
    /// How the optimal matching is found; the result is the same.
    matching: Matching = Matching::Lazy, Method, "HOW", Kind::Choice(&[
        ("full", "From the whole matrix of costs"),
        ("lazy", "From the part of it that proves the optimum"),
    ]), Everywhere;

    /// Optimizer steps.
    steps: Option<usize> = Some(2000), Training, "COUNT", Kind::from_one(), Everywhere;
    /// Passes over the data, instead of steps.
    epochs: Option<f64> = None, Training, "COUNT", Kind::Positive, Program;
    /// Questions in one forward pass.
    batch_questions: usize = 8, Training, "B", Kind::size(), Everywhere;
    /// Forward passes in one optimizer step.
    accumulate: usize = 1, Training, "K", Kind::size(), Everywhere;
    /// Highest learning rate.
    lr: f64 = 4e-3, Training, "RATE", Kind::Positive, Everywhere;
    /// Steps until the highest learning rate.
    warmup_steps: usize = 100, Training, "COUNT", Kind::from_zero(), Everywhere;
    /// Course of the learning rate after the warm-up.
    schedule: Shape = Shape::Cosine, Training, "SHAPE", Kind::Choice(&[
        ("cosine", "Half a cosine down to a tenth"),
        ("linear", "A straight line down to a tenth"),
        ("constant", "No change"),
    ]), Everywhere;
    /// AdamW's decay of matrices, times the learning rate.
    weight_decay: f64 = 0.01, Training, "RATE", Kind::NotNegative, Everywhere;
    /// Largest norm of all gradients together; 0 for no limit.
    clip_norm: f64 = 1.0, Training, "NORM", Kind::NotNegative, Everywhere;
    /// Seed of data, weights, order and random assignments.
    // TOML, and with it config.toml, has no larger integers.
    seed: u64 = 1, Training, "SEED", Kind::Count { least: 0, most: i64::MAX as u64 }, Everywhere;

    /// MiB for the passes of a step, beyond model and optimizer; a step is cut into passes that fit. If not given, it follows
    /// from the adapter's limits or is half of the free memory.
    memory_budget: Option<usize> = None, Run, "MIB", Kind::size(), Everywhere;
    /// Evaluate on a few held-out questions every so many steps; 0 for only at the end.
    eval_every: usize = 500, Run, "STEPS", Kind::from_zero(), Program;
    /// Save a checkpoint every so many steps; 0 for only at the end.
    save_every: usize = 200, Run, "STEPS", Kind::from_zero(), Program;
    /// Number of checkpoints to keep.
    keep: usize = 2, Run, "COUNT", Kind::from_one(), Program;
    /// Where to compute.
    device: DeviceChoice = DeviceChoice::Auto, Run, "DEVICE", Kind::Choice(&[
        ("auto", "A real GPU if there is one, else the CPU"),
        ("wgpu", "The best adapter wgpu sees, a software one if need be"),
        ("cpu", "The CPU, multi-threaded"),
    ]), Program;
}

/// Most forking tokens. Datasets have fewer traces a question; the limit catches typing errors before they reserve a huge
/// vocabulary.
const MOST_FORKS: usize = 256;

/// Settings that exclude each other: of each group one has a value.
pub const EXCLUSIVE: [[&str; 2]; 3] = [["task", "data"], ["preset", "model"], ["steps", "epochs"]];

/// Highest learning rate for a pretrained model; that of arXiv 2510.05132.
pub const FINE_TUNING_RATE: f64 = 1e-5;

/// Where questions come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Questions {
    /// A built-in task: short traces that differ early.
    Task,
    /// A user's file: long traces that may begin alike.
    Data,
}

/// Default of `match-tokens`, L: that of arXiv 2510.05132 for a user's data, 8 for the short traces of built-in tasks.
pub fn default_match_tokens(questions: Questions) -> usize {
    match questions {
        Questions::Task => 8,
        Questions::Data => 1000,
    }
}

/// The row of the setting `key`.
pub fn setting(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

impl Settings {
    /// Refuses values out of range and settings that contradict each other.
    ///
    /// # Errors
    /// [`RunError::Setting`] names the setting and its range.
    pub fn check(&self) -> Result<(), RunError> {
        if let Some((key, problem)) = self.out_of_range() {
            return Err(RunError::setting(key, &problem));
        }
        if self.fork_init.is_some() && self.model.is_none() {
            return Err(RunError::setting("fork-init", "is for a `model`; leave it out"));
        }
        // In u64: a browser's usize has 32 bits.
        let a_step = self.batch_questions as u64 * self.accumulate as u64;
        if a_step > MOST_TOKENS as u64 {
            let problem =
                format!("times `accumulate` is {a_step}; give at most {MOST_TOKENS} questions a step");
            return Err(RunError::setting("batch-questions", &problem));
        }
        Ok(())
    }

    /// Number of optimizer steps for a training set of `questions` questions.
    pub fn total_steps(&self, questions: usize) -> usize {
        let per_step = self.batch_questions * self.accumulate;
        match (self.steps, self.epochs) {
            (_, Some(epochs)) => ((epochs * questions as f64 / per_step as f64).ceil() as usize).max(1),
            (steps, None) => steps.unwrap_or(1),
        }
    }

    /// The settings of a trainer for `steps` steps whose passes take `memory_budget` MiB.
    pub fn trainer(&self, steps: usize, memory_budget: usize) -> ssft_train::Settings {
        ssft_train::Settings {
            method: self.method,
            match_tokens: self.match_tokens,
            matching: self.matching,
            batch_questions: self.batch_questions,
            accumulate: self.accumulate,
            memory_budget: (memory_budget as u64) << 20,
            schedule: Schedule {
                peak: self.lr,
                warmup_steps: self.warmup_steps,
                steps,
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// A choice that serde does not take, or a variant that the table does not list, is a mistake in the table.
    #[test]
    fn the_table_lists_exactly_the_names_that_each_choice_has() {
        for &Setting { key, kind, .. } in SETTINGS {
            let Kind::Choice(names) = kind else { continue };
            let with = |name: &str| {
                let mut values = serde_json::to_value(Settings::default()).expect("JSON");
                values[key] = Value::from(name);
                serde_json::from_value::<Settings>(values)
            };
            for (name, help) in names {
                assert!(with(name).is_ok() && !help.is_empty(), "{key}: {name}");
            }
            let refused = with("no such name").expect_err(key).to_string();
            assert_eq!(refused.matches('`').count() / 2 - 1, names.len(), "{key}: {refused}");
        }
    }

    #[test]
    fn keys_are_those_of_the_written_settings() {
        let written = serde_json::to_value(Settings::default()).expect("JSON");
        let keys: Vec<&str> = SETTINGS.iter().map(|setting| setting.key).collect();
        assert_eq!(written.as_object().expect("an object").keys().cloned().collect::<Vec<_>>(), keys);
        for key in EXCLUSIVE.concat() {
            assert!(setting(key).is_some(), "{key}");
        }
    }

    #[test]
    fn epochs_become_steps() {
        let settings = Settings { steps: None, epochs: Some(2.5), batch_questions: 4, ..Settings::default() };
        assert_eq!(settings.total_steps(10), 7);
        assert_eq!(Settings { epochs: None, steps: Some(9), ..settings }.total_steps(10), 9);
    }
}
