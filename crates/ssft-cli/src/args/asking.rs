//! Arguments of the commands for a trained model: `eval`, `generate`, `report`.

use super::settings::choice;
use crate::exit::Failure;
use clap::Args;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use ssft_run::settings::DeviceChoice;
use std::path::PathBuf;

/// Filters of the next token's distribution.
#[derive(Debug, Clone, Args)]
pub struct SamplingArgs {
    /// Number of most likely tokens to draw from; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = "Sampling")]
    pub top_k: usize,
    /// Draw from the smallest set of most likely tokens with this total probability; 1 for all
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, help_heading = "Sampling")]
    pub top_p: f64,
    /// Smallest probability of a token to draw, as a share of the most likely token's; 0 for all
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Sampling")]
    pub min_p: f64,
    /// Factor that lowers the logits of tokens already in the row; 1 for no change
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, help_heading = "Sampling")]
    pub repetition_penalty: f64,
}

impl SamplingArgs {
    /// Sampling with these filters at `temperature`.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the first value out of range.
    pub fn at(&self, temperature: f64) -> Result<Sampling, Failure> {
        let Self { top_k, top_p, min_p, repetition_penalty } = *self;
        let sampling = Sampling { repetition_penalty, temperature, top_k, top_p, min_p };
        match sampling.problem() {
            Some(problem) => Err(Failure::Usage(format!("--{problem}"))),
            None => Ok(sampling),
        }
    }
}

/// Model, forks and sampling of `eval` and `generate`.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Settings from a TOML file with the flags' names as keys; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Run, model or checkpoint of a run, or another model directory with forking tokens
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Forks to ask: all that training used, the one chosen by the coverage rule (auto), or a number from 1
    #[arg(long, value_name = "all|auto|K", default_value = "all")]
    pub fork: ForkChoice,
    /// Seed of the draws and, with a built-in task, of the questions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute; auto is a hardware GPU if there is one, else the CPU
    #[arg(long, value_parser = choice::<DeviceChoice>("device"), value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Sampling filters
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// `eval`.
#[derive(Debug, Args)]
// Parses `--temperature -1` as a value, so that the error names the range.
#[command(allow_negative_numbers = true)]
pub struct EvalArgs {
    /// Model and forks
    #[command(flatten)]
    pub who: WhoArgs,
    /// Built-in task whose questions are asked [default: the held-out questions of the model's run]
    #[arg(long, value_name = "NAME", help_heading = "Questions")]
    pub task: Option<String>,
    /// JSONL file whose questions are asked
    #[arg(long, value_name = "FILE", conflicts_with = "task", help_heading = "Questions")]
    pub data: Option<PathBuf>,
    /// Level of --task
    #[arg(long, value_name = "LEVEL", default_value_t = 1, requires = "task", help_heading = "Questions")]
    pub difficulty: u8,
    /// Number of questions: the first of a file or a run [default: all], or the number to generate for --task [default: 200]
    #[arg(long, value_name = "COUNT", help_heading = "Questions")]
    pub questions: Option<usize>,
    /// Place of the answer in the texts of --data, and equality of answers [default: that of the model's run, or exact]
    #[arg(long, value_parser = choice::<AnswerFormat>("answers"), value_name = "FORMAT", requires = "data", help_heading = "Questions")]
    pub answers: Option<AnswerFormat>,
    /// Answers to draw from each fork, in addition to the greedy one
    #[arg(long, value_name = "COUNT", default_value_t = 4, help_heading = "Answers")]
    pub samples: usize,
    /// Values of k for Pass@k and Cons@k [default: 1, half of the forks, all forks, all samples]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', help_heading = "Answers")]
    pub k: Vec<usize>,
    /// Longest answer, in tokens [default: 1.25 times the longest training trace]
    #[arg(long, value_name = "COUNT", help_heading = "Answers")]
    pub max_tokens: Option<usize>,
    /// Divisor of the logits; 0 for greedy answers only
    #[arg(long, value_name = "NUMBER", default_value_t = 0.7, help_heading = "Sampling")]
    pub temperature: f64,
    /// Rows decoded together
    #[arg(long, value_name = "COUNT", default_value_t = 384, help_heading = "Run")]
    pub rows: usize,
    /// Also write all figures and all answers to this JSON file
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long, help_heading = "Run")]
    pub quiet: bool,
}

/// `generate`.
#[derive(Debug, Args)]
// Parses `--temperature -1` as a value, so that the error names the range.
#[command(allow_negative_numbers = true)]
pub struct GenerateArgs {
    /// Model and forks
    #[command(flatten)]
    pub who: WhoArgs,
    /// The question
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Longest answer, in tokens
    #[arg(long, value_name = "COUNT", default_value_t = 512)]
    pub max_tokens: usize,
    /// Text that ends an answer; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Place of the answer in the texts, and equality of answers [default: that of the model's run, or exact]
    #[arg(long, value_parser = choice::<AnswerFormat>("answers"), value_name = "FORMAT")]
    pub answers: Option<AnswerFormat>,
    /// Divisor of the logits; 0 for the most likely token
    #[arg(long, value_name = "NUMBER", default_value_t = 0.0, help_heading = "Sampling")]
    pub temperature: f64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// Print each answer once it has ended, also on a terminal
    #[arg(long)]
    pub quiet: bool,
}

/// `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Directories of runs; runs that differ in method or seed only are compared
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// HTML file to write [default: report.html in the directory of a single run]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// Also write all figures and all settings to this JSON file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}
