//! Arguments of `data make`, `data check`, `data import` and `inspect`.

use super::names::LayoutName;
use super::settings::choice;
use clap::Args;
use ssft_run::settings::{DeviceChoice, LeadChoice, TemplateChoice};
use std::path::PathBuf;

/// `data make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// Built-in task
    #[arg(long, default_value = "arithmetic")]
    pub task: String,
    /// Training questions
    #[arg(long, default_value_t = 4000)]
    pub train: usize,
    /// Held-out questions
    #[arg(long, default_value_t = 200)]
    pub test: usize,
    /// Level of the task, from 1
    #[arg(long, default_value_t = 1)]
    pub difficulty: u8,
    /// Seed of the questions; the same seed gives the same files
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Directory for train.jsonl and test.jsonl
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `data check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// JSONL file to check
    pub file: PathBuf,
    /// N: number of forking tokens to check the file for [default: those of --model, or 6]
    #[arg(long)]
    pub forks: Option<usize>,
    /// Longest row, in tokens [default: the longest that --model accepts, or 512]
    #[arg(long)]
    pub context: Option<usize>,
    /// Hugging Face directory with the tokenizer and chat template of the rows
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// How a question becomes a prompt
    #[arg(long, value_parser = choice::<TemplateChoice>("template"), default_value = "auto")]
    pub template: TemplateChoice,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `data import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Files of a dataset, .jsonl or .parquet; rows of the same question are merged
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// JSONL file to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Meaning of the columns [default: detected from their names]
    #[arg(long, value_enum, value_name = "NAME")]
    pub layout: Option<LayoutName>,
    /// M: number of traces of a question to keep, the first ones [default: all]
    #[arg(long, value_name = "M")]
    pub traces: Option<usize>,
    /// Smallest number of traces of a question to keep
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub min_traces: usize,
    /// Write thoughts in the form of this model's chat template [default: a blank line between thought and answer]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// Model directory, checkpoint or run; forking tokens are added if it has none [default: a new model with random weights]
    #[arg(long, value_name = "DIR")]
    pub model: Option<PathBuf>,
    /// JSONL file to take the question from
    #[arg(long, value_name = "FILE", conflicts_with = "task")]
    pub data: Option<PathBuf>,
    /// Built-in task to take the question from
    #[arg(long, default_value = "arithmetic")]
    pub task: String,
    /// Level of the task, from 1
    #[arg(long, default_value_t = 1)]
    pub difficulty: u8,
    /// Id of the question [default: the first]
    #[arg(long)]
    pub id: Option<String>,
    /// N: number of forking tokens [default: those of --model, or 6]
    #[arg(long)]
    pub forks: Option<usize>,
    /// How a question becomes a prompt
    #[arg(long, value_parser = choice::<TemplateChoice>("template"), default_value = "auto")]
    pub template: TemplateChoice,
    /// Day that a chat template with a date in it shows, like 2026-03-31 [default: that of the run, or today]
    #[arg(long, value_name = "DAY")]
    pub date: Option<String>,
    /// Text around a forking token
    #[arg(long, value_parser = choice::<LeadChoice>("fork-lead"), value_name = "FORM", default_value = "auto")]
    pub fork_lead: LeadChoice,
    /// Token of --model whose rows new forking tokens start from [default: as in `train`]
    #[arg(long, value_name = "TOKEN", requires = "model")]
    pub fork_init: Option<String>,
    /// L: number of trace tokens that enter the matching cost [default: as in `train`]
    #[arg(long, value_name = "L")]
    pub match_tokens: Option<usize>,
    /// Seed of the task and of a new model
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_parser = choice::<DeviceChoice>("device"), default_value = "auto")]
    pub device: DeviceChoice,
    /// Also write the cost matrix with its matching to this SVG file
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
