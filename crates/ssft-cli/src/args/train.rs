//! Arguments of `train`. Every flag has the same key in `--config FILE.toml`.

use super::names::{
    AnswersName, DtypeChoice, LeadChoice, MatchingName, MethodName, PresetName, ScheduleName, TemplateChoice,
};
use crate::device::DeviceChoice;
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;

const FORK_INIT_HELP: &str = "Token of --model whose rows new forking tokens start from, with a little noise \
    [default: the first it has of <think>, <|im_start|>, the beginning and the end of a sequence]";

/// Which questions, from which model, with which method, how long. All optional: the defaults are a complete run.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TrainArgs {
    /// Settings from a TOML file with the flags' names as keys; flags win
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Built-in task to learn
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Your own questions: JSONL, one question with its correct traces a line
    #[arg(long, value_name = "FILE", conflicts_with = "task", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// Level of the built-in task, from 1
    #[arg(long, value_name = "LEVEL", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<u8>,
    /// Questions to generate for a built-in task
    #[arg(long, value_name = "COUNT", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_questions: Option<usize>,
    /// Held-out questions for the final evaluation; of your own data at most a tenth is set aside
    #[arg(long, value_name = "COUNT", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_questions: Option<usize>,
    /// Where the answer stands in your own data's texts, and when two are the same
    #[arg(long, value_enum, value_name = "FORMAT", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answers: Option<AnswersName>,
    /// Longest row, in tokens
    #[arg(long, value_name = "TOKENS", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Vocabulary of the byte-level tokenizer that is trained on your own data
    #[arg(long, value_name = "TOKENS", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,

    /// Shape of a model that starts from random weights
    #[arg(long, value_enum, value_name = "SHAPE", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<PresetName>,
    /// Start from this Hugging Face directory (Llama, Qwen2, Qwen3) instead of random weights
    #[arg(long, value_name = "DIR", conflicts_with = "preset", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,
    /// How a question becomes a prompt
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateChoice>,
    /// Day that a chat template with a date in it names, like 2026-03-31 [default: today]
    #[arg(long, value_name = "DAY", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What stands around a forking token
    #[arg(long, value_enum, value_name = "FORM", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork_lead: Option<LeadChoice>,
    /// Token of --model whose rows new forking tokens start from, with a little noise.
    // As help the default would be a link to rustdoc.
    #[arg(long, value_name = "TOKEN", help_heading = "Model", help = FORK_INIT_HELP)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fork_init: Option<String>,
    /// Type of the numbers in the final model; training and checkpoints are f32
    #[arg(long, value_enum, value_name = "TYPE", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<DtypeChoice>,

    /// Which forking token stands in front of a trace
    #[arg(long, value_enum, value_name = "ARM", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodName>,
    /// N: number of forking tokens; at least as many as a question has traces
    #[arg(long, value_name = "N", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forks: Option<usize>,
    /// L: how many trace tokens enter the matching cost
    #[arg(long, value_name = "L", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_tokens: Option<usize>,
    /// How the optimal matching is found; the result is the same
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<MatchingName>,

    /// Optimizer steps
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Passes over the data, instead of steps
    #[arg(long, value_name = "COUNT", conflicts_with = "steps", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Questions in one forward pass
    #[arg(long, value_name = "B", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_questions: Option<usize>,
    /// Forward passes in one optimizer step
    #[arg(long, value_name = "K", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulate: Option<usize>,
    /// MiB that the passes of a step may take, beyond model and optimizer; a step is cut into passes that fit
    /// [default: from the adapter's limits, or half of the memory that is free]
    #[arg(long, value_name = "MIB", help_heading = "Run")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_budget: Option<usize>,
    /// Highest learning rate
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Steps until the highest learning rate
    #[arg(long, value_name = "COUNT", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<usize>,
    /// What the learning rate does after the warm-up
    #[arg(long, value_enum, value_name = "SHAPE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<ScheduleName>,
    /// AdamW's decay of matrices, times the learning rate
    #[arg(long, value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Largest norm of all gradients together; 0 for no limit
    #[arg(long, value_name = "NORM", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Seed of data, weights, order and random assignments
    // TOML, and with it config.toml, has no larger integers.
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64), help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,

    /// Evaluate on a few held-out questions every so many steps; 0 for only at the end
    #[arg(long, value_name = "STEPS", help_heading = "Run")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// Save a checkpoint every so many steps; 0 for only at the end
    #[arg(long, value_name = "STEPS", help_heading = "Run")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<usize>,
    /// Checkpoints to keep
    #[arg(long, value_name = "COUNT", help_heading = "Run")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,
    /// Directory of the run [default: runs/TASK-METHOD, numbered when taken]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    #[serde(skip)]
    pub out: Option<PathBuf>,
    /// Go on from the newest checkpoint of --out, with the settings it was started with
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub resume: bool,
    /// Where to compute: a real GPU if there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", help_heading = "Run")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceChoice>,
    /// Print errors only
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub quiet: bool,
    /// Print the final evaluation as JSON on standard output, and nothing else there
    #[arg(long, help_heading = "Run")]
    #[serde(skip)]
    pub json: bool,
}
