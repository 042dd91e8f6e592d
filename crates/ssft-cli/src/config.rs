//! What a run is made of: defaults, overridden by a file, overridden by flags, each value with its origin.

use crate::args::{DtypeChoice, LeadChoice, TemplateChoice, TrainArgs};
use crate::device::DeviceChoice;
use crate::exit::Failure;
use crate::limits::{MOST_TOKENS, check};
use serde::{Deserialize, Serialize};
use ssft_decode::format::AnswerFormat;
use ssft_model::config::Preset;
use ssft_train::schedule::Shape;
use ssft_train::{Matching, Method};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Every setting of a run, resolved. The keys of `config.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[allow(missing_docs, reason = "each field is the flag of the same name: see `TrainArgs`")]
pub struct RunConfig {
    pub task: Option<String>,
    pub data: Option<PathBuf>,
    pub difficulty: u8,
    pub train_questions: usize,
    pub eval_questions: usize,
    pub answers: AnswerFormat,
    pub context: usize,
    pub vocab_size: usize,
    pub preset: Option<Preset>,
    pub model: Option<PathBuf>,
    pub template: TemplateChoice,
    pub date: Option<String>,
    pub fork_lead: LeadChoice,
    pub fork_init: Option<String>,
    pub dtype: DtypeChoice,
    pub method: Method,
    pub forks: usize,
    pub match_tokens: usize,
    pub matching: Matching,
    pub steps: Option<usize>,
    pub epochs: Option<f64>,
    pub batch_questions: usize,
    pub accumulate: usize,
    pub memory_budget: Option<usize>,
    pub lr: f64,
    pub warmup_steps: usize,
    pub schedule: Shape,
    pub weight_decay: f64,
    pub clip_norm: f64,
    pub seed: u64,
    pub eval_every: usize,
    pub save_every: usize,
    pub keep: usize,
    pub device: DeviceChoice,
}

impl Default for RunConfig {
    /// The run that `ssft-wgpu train` does.
    fn default() -> Self {
        Self {
            task: Some("arithmetic".to_owned()),
            data: None,
            difficulty: 1,
            train_questions: 4000,
            eval_questions: 200,
            answers: AnswerFormat::Exact,
            context: 512,
            vocab_size: 1024,
            preset: Some(Preset::Tiny),
            model: None,
            template: TemplateChoice::Auto,
            date: None,
            fork_lead: LeadChoice::Auto,
            fork_init: None,
            dtype: DtypeChoice::Auto,
            method: Method::Ssft,
            forks: 6,
            match_tokens: default_match_tokens(false),
            matching: Matching::Lazy,
            steps: Some(2000),
            epochs: None,
            batch_questions: 8,
            accumulate: 1,
            memory_budget: None,
            lr: 4e-3,
            warmup_steps: 100,
            schedule: Shape::Cosine,
            weight_decay: 0.01,
            clip_norm: 1.0,
            seed: 1,
            eval_every: 500,
            save_every: 200,
            keep: 2,
            device: DeviceChoice::Auto,
        }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said otherwise.
    Default,
    /// The file given by `--config`, or the one of the run that is resumed.
    File,
    /// A flag.
    Flag,
}

/// A configuration with the origin of each value.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolved {
    /// The values.
    pub config: RunConfig,
    /// Origin of each key.
    pub origins: BTreeMap<String, Origin>,
}

/// Names the default of each setting in the help of `train`, from the one place where defaults are.
pub fn with_defaults_in_help(command: clap::Command) -> clap::Command {
    let defaults = to_table(&RunConfig::default()).unwrap_or_default();
    // What else is given decides.
    let elsewhere = |key: &str| match key {
        "context" => ", or what --model has room for".to_owned(),
        "lr" => format!(", or {FINE_TUNING_RATE} for --model"),
        "match-tokens" => format!(" for built-in tasks, {} for --data", default_match_tokens(true)),
        _ => String::new(),
    };
    command.mut_subcommand("train", |train| {
        // A script may repeat a flag to override it, and `--lr -1` deserves the message about its range.
        let train = train.allow_negative_numbers(true).args_override_self(true);
        defaults.iter().fold(train, |train, (key, value)| {
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            train.mut_arg(key.replace('-', "_"), |arg| {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                arg.help(format!("{help} [default: {shown}{}]", elsewhere(key)))
            })
        })
    })
}

/// Settings of which one displaces the others.
const EXCLUSIVE: [&[&str]; 3] = [&["task", "data"], &["preset", "model"], &["steps", "epochs"]];

impl Resolved {
    /// Merges defaults, the file at `file` and flags.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the file cannot be read, has an unknown key, a value of the wrong type, or a
    /// setting is out of range.
    pub fn new(args: &TrainArgs, file: Option<&Path>) -> Result<Self, Failure> {
        let mut merged = Layers::default();
        merged.add(to_table(&RunConfig::default())?, Origin::Default);
        if let Some(path) = file {
            merged.add(read_file(path)?, Origin::File);
        }
        merged.add(to_table(args)?, Origin::Flag);
        merged.suit_what_is_given();
        let config: RunConfig = Value::Table(merged.values).try_into().map_err(Failure::usage)?;
        check(&config)?;
        Ok(Self { config, origins: merged.origins })
    }

    /// The text of `config.toml`: valid TOML that `--config` takes back, with the origin of each value beside it.
    pub fn to_toml(&self) -> String {
        let table = to_table(&self.config).unwrap_or_default();
        let mut text = String::from(
            "# Every setting of this run. Repeat it with: ssft-wgpu train --config config.toml\n",
        );
        for (key, value) in &table {
            let origin = match self.origins.get(key) {
                Some(Origin::File) => "file",
                Some(Origin::Flag) => "flag",
                _ => "default",
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{:<40} # {origin}", format!("{key} = {value}"));
        }
        text
    }
}

#[derive(Default)]
struct Layers {
    values: Table,
    origins: BTreeMap<String, Origin>,
}

impl Layers {
    fn add(&mut self, layer: Table, origin: Origin) {
        for group in EXCLUSIVE {
            if group.iter().any(|key| layer.contains_key(*key)) {
                for key in group {
                    self.values.remove(*key);
                }
            }
        }
        for (key, value) in layer {
            self.origins.insert(key.clone(), origin);
            self.values.insert(key, value);
        }
    }

    /// Defaults that depend on what else is given. A user's traces are long and begin alike, so that L for built-in tasks
    /// would not tell them apart; a model that has learned already keeps its context and needs small steps.
    fn suit_what_is_given(&mut self) {
        let given = |key: &str| self.values.contains_key(key);
        let (data, model) = (given("data"), given("model"));
        let mut suit = |key: &str, value: Value| {
            if self.origins[key] == Origin::Default {
                self.values.insert(key.to_owned(), value);
            }
        };
        if data {
            suit("match-tokens", Value::Integer(default_match_tokens(true) as i64));
        }
        if model {
            suit("context", Value::Integer(MOST_TOKENS as i64));
            suit("lr", Value::Float(FINE_TUNING_RATE));
        }
    }
}

/// Highest learning rate for a model that has learned already; that of arXiv 2510.05132.
const FINE_TUNING_RATE: f64 = 1e-5;

/// L where nobody gives one: that of arXiv 2510.05132 for a user's data, few for the short traces of built-in tasks.
pub fn default_match_tokens(own_data: bool) -> usize {
    if own_data { 1000 } else { 8 }
}

fn to_table(value: &impl Serialize) -> Result<Table, Failure> {
    Table::try_from(value).map_err(Failure::usage)
}

/// The settings in a file.
///
/// # Errors
/// [`Failure::Usage`] if it cannot be read or is no TOML.
pub fn read_toml(path: &Path) -> Result<Table, Failure> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::Usage(format!("{name}: cannot be read ({error}); check the path and its permissions"))
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
        Failure::Usage(format!(
            "{name}:{line}: not valid TOML ({}); write lines like `steps = 500`",
            error.message()
        ))
    })
}

fn read_file(path: &Path) -> Result<Table, Failure> {
    let name = path.display();
    let table = read_toml(path)?;
    // Checked here, where the file can be named; a flag of that name cannot exist.
    let known = to_table(&RunConfig::default())?;
    let extra = ["data", "model", "epochs", "memory-budget", "fork-init", "date"];
    if let Some(key) = table.keys().find(|key| !known.contains_key(*key) && !extra.contains(&key.as_str())) {
        return Err(Failure::Usage(format!(
            "{name}: unknown key \"{key}\"; keys are the flags of `ssft-wgpu train` without the dashes"
        )));
    }
    for group in EXCLUSIVE {
        let given: Vec<&str> = group.iter().copied().filter(|key| table.contains_key(*key)).collect();
        if given.len() > 1 {
            return Err(Failure::Usage(format!(
                "{name}: has both {}; keep one of them",
                given.join(" and ")
            )));
        }
    }
    for (key, value) in &table {
        let mut trial = known.clone();
        trial.insert(key.clone(), value.clone());
        let fits: Result<RunConfig, _> = Value::Table(trial).try_into();
        if let Err(error) = fits {
            return Err(Failure::Usage(format!(
                "{name}: {key} = {value} cannot be used ({})",
                error.message()
            )));
        }
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), text).expect("write");
        file
    }

    #[test]
    fn flags_win_over_the_file_and_the_file_over_defaults() {
        let file = file("steps = 7\nlr = 0.5\n");
        let args = TrainArgs { lr: Some(0.25), ..TrainArgs::default() };
        let resolved = Resolved::new(&args, Some(file.path())).expect("resolves");
        assert_eq!((resolved.config.steps, resolved.config.lr, resolved.config.forks), (Some(7), 0.25, 6));
        let origin = |key: &str| resolved.origins[key];
        assert_eq!(
            (origin("steps"), origin("lr"), origin("forks")),
            (Origin::File, Origin::Flag, Origin::Default)
        );
    }

    #[test]
    fn one_of_a_group_displaces_the_others() {
        let args = TrainArgs { epochs: Some(2.0), data: Some("a.jsonl".into()), ..TrainArgs::default() };
        let config = Resolved::new(&args, None).expect("resolves").config;
        assert_eq!((config.steps, config.epochs), (None, Some(2.0)));
        assert_eq!((config.task, config.data), (None, Some("a.jsonl".into())));
        assert_eq!(config.match_tokens, 1000, "the paper's L for a user's data");
    }

    #[test]
    fn what_is_written_reads_back() {
        let args = TrainArgs { steps: Some(3), seed: Some(u64::from(u32::MAX)), ..TrainArgs::default() };
        let resolved = Resolved::new(&args, None).expect("resolves");
        let file = file(&resolved.to_toml());
        let again = Resolved::new(&TrainArgs::default(), Some(file.path())).expect("reads back");
        assert_eq!(again.config, resolved.config);
        assert!(resolved.to_toml().contains("# flag"));
    }

    #[test]
    fn bad_settings_are_named() {
        for (text, says) in [
            (
                "stepz = 1",
                "unknown key \"stepz\"; keys are the flags of `ssft-wgpu train` without the dashes",
            ),
            (
                "steps = \"many\"",
                "steps = \"many\" cannot be used (invalid type: string \"many\", expected usize)",
            ),
            (
                "method = \"ppo\"",
                "method = \"ppo\" cannot be used (unknown variant `ppo`, expected one of `sft`, `sft-mixed`, `ssft-random`, `ssft`)",
            ),
        ] {
            let file = file(text);
            let error = Resolved::new(&TrainArgs::default(), Some(file.path())).expect_err(text).to_string();
            assert_eq!(error.trim_end(), format!("{}: {says}", file.path().display()));
        }
        let broken = file("steps = 1\nlr = = 2");
        let error =
            Resolved::new(&TrainArgs::default(), Some(broken.path())).expect_err("not TOML").to_string();
        assert!(error.contains(":2: not valid TOML ("), "{error}");
        for (args, says) in [
            (TrainArgs { forks: Some(0), ..TrainArgs::default() }, "--forks is 0; give at least 1"),
            (TrainArgs { lr: Some(f64::NAN), ..TrainArgs::default() }, "--lr is NaN; give a number above 0"),
            (
                TrainArgs { forks: Some(999), ..TrainArgs::default() },
                "--forks is 999; at most 256 are supported",
            ),
        ] {
            assert_eq!(Resolved::new(&args, None).expect_err(says).to_string(), says);
        }
    }
}
