//! Arguments of what is done with a trained model: `eval`, `generate`, `report`.

use super::settings::choice;
use crate::exit::Failure;
use clap::Args;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use ssft_run::settings::DeviceChoice;
use std::path::PathBuf;

/// How tokens are drawn.
#[derive(Debug, Clone, Args)]
pub struct SamplingArgs {
    /// Only so many of the most likely tokens; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 0, help_heading = "Sampling")]
    pub top_k: usize,
    /// Only the fewest tokens that reach this probability together; 1 for all
    #[arg(long, value_name = "SHARE", default_value_t = 0.95, help_heading = "Sampling")]
    pub top_p: f64,
    /// Only tokens this times as likely as the most likely one; 0 for all
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Sampling")]
    pub min_p: f64,
    /// What makes tokens of the row less likely; 1 for no difference
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, help_heading = "Sampling")]
    pub repetition_penalty: f64,
}

impl SamplingArgs {
    /// With a temperature, checked.
    ///
    /// # Errors
    /// [`Failure::Usage`] names what is out of range.
    pub fn at(&self, temperature: f64) -> Result<Sampling, Failure> {
        let Self { top_k, top_p, min_p, repetition_penalty } = *self;
        let sampling = Sampling { repetition_penalty, temperature, top_k, top_p, min_p };
        match sampling.problem() {
            Some(problem) => Err(Failure::Usage(format!("--{problem}"))),
            None => Ok(sampling),
        }
    }
}

/// Who is asked, and what they draw with.
#[derive(Debug, Args)]
pub struct WhoArgs {
    /// Settings from a TOML file with the flags' names as keys; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// A run, its model or one of its checkpoints, or another model directory with forks
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// Forks to ask: all that training used, the one that the coverage rule chose, or a number
    #[arg(long, value_name = "all|auto|K", default_value = "all")]
    pub fork: ForkChoice,
    /// Seed of the draws and, with a built-in task, of the questions
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute: a real GPU if there is one, else the CPU
    #[arg(long, value_parser = choice::<DeviceChoice>("device"), value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Filters
    #[command(flatten)]
    pub sampling: SamplingArgs,
}

/// `eval`.
#[derive(Debug, Args)]
// `--temperature -1` deserves the message about its range.
#[command(allow_negative_numbers = true)]
pub struct EvalArgs {
    /// Who answers
    #[command(flatten)]
    pub who: WhoArgs,
    /// Built-in task to ask [default: the held-out questions of the model's run]
    #[arg(long, value_name = "NAME", help_heading = "Questions")]
    pub task: Option<String>,
    /// JSONL file to ask
    #[arg(long, value_name = "FILE", conflicts_with = "task", help_heading = "Questions")]
    pub data: Option<PathBuf>,
    /// Level of --task
    #[arg(long, value_name = "LEVEL", default_value_t = 1, requires = "task", help_heading = "Questions")]
    pub difficulty: u8,
    /// Only the first questions; of --task so many are made [default: all, or 200]
    #[arg(long, value_name = "COUNT", help_heading = "Questions")]
    pub questions: Option<usize>,
    /// Where the answer stands in the texts of --data, and when two are the same [default: that of the model's run, or
    /// exact]
    #[arg(long, value_parser = choice::<AnswerFormat>("answers"), value_name = "FORMAT", requires = "data", help_heading = "Questions")]
    pub answers: Option<AnswerFormat>,
    /// Answers to draw from each fork, beside the greedy one
    #[arg(long, value_name = "COUNT", default_value_t = 4, help_heading = "Answers")]
    pub samples: usize,
    /// The k of Pass@k and Cons@k [default: 1, half of the forks, all forks, all samples]
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', help_heading = "Answers")]
    pub k: Vec<usize>,
    /// Most tokens of an answer [default: a quarter more than the longest trace to learn]
    #[arg(long, value_name = "COUNT", help_heading = "Answers")]
    pub max_tokens: Option<usize>,
    /// What logits are divided by; 0 for greedy answers only
    #[arg(long, value_name = "NUMBER", default_value_t = 0.7, help_heading = "Sampling")]
    pub temperature: f64,
    /// Rows that grow together
    #[arg(long, value_name = "COUNT", default_value_t = 384, help_heading = "Run")]
    pub rows: usize,
    /// Write every figure and every answer to this file too
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long, help_heading = "Run")]
    pub quiet: bool,
}

/// `generate`.
#[derive(Debug, Args)]
// `--temperature -1` deserves the message about its range.
#[command(allow_negative_numbers = true)]
pub struct GenerateArgs {
    /// Who answers
    #[command(flatten)]
    pub who: WhoArgs,
    /// The question
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Most tokens of an answer
    #[arg(long, value_name = "COUNT", default_value_t = 512)]
    pub max_tokens: usize,
    /// A text that ends an answer; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Where the answer stands in the texts, and when two are the same [default: that of the model's run, or exact]
    #[arg(long, value_parser = choice::<AnswerFormat>("answers"), value_name = "FORMAT")]
    pub answers: Option<AnswerFormat>,
    /// What logits are divided by; 0 takes the most likely token
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
    /// Directories of runs; those that learned the same with another method or seed are compared
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The page [default: report.html of a single run]
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
    /// Write every figure and every setting to this file too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}
