//! What a user types. Every flag of `train` has the same key in `--config FILE.toml`.

use crate::bench::cases::Kernel;
use crate::bench::steps::Arm;
use crate::device::DeviceChoice;
use crate::exit::Failure;
use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Serialize;
use ssft_decode::choice::ForkChoice;
use ssft_decode::format::AnswerFormat;
use ssft_decode::sample::Sampling;
use std::path::PathBuf;

/// Set Supervised Fine-Tuning with global forking tokens, for any GPU.
#[derive(Debug, Parser)]
#[command(name = "ssft-wgpu", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// One command of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model; without any argument: the built-in arithmetic task, a few minutes on a laptop CPU
    Train(Box<TrainArgs>),
    /// Make or check data
    #[command(subcommand)]
    Data(DataCommand),
    /// Measure what the forks of a trained model can do, on questions that it has not seen
    Eval(Box<EvalArgs>),
    /// Let the forks of a trained model answer a prompt side by side, and vote
    Generate(GenerateArgs),
    /// Write the page of a run anew, or one that compares several
    Report(ReportArgs),
    /// Show what training sees of one question: rows with target mask, cost matrix, matching
    Inspect(InspectArgs),
    /// Measure time and memory
    #[command(subcommand)]
    Bench(BenchCommand),
    /// List every adapter that wgpu sees, and which one `auto` would take
    Devices,
}

/// Commands about data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Write a built-in task as JSONL
    Make(MakeArgs),
    /// Validate a JSONL file, without training
    Check(CheckArgs),
}

/// Commands that measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// The kernels beside the plain tensors that they stand in for
    Kernels(BenchKernelsArgs),
    /// Time and memory of whole training steps, the arms side by side
    Steps(Box<BenchStepsArgs>),
    /// Answers of N forks from one prompt, beside N separate generations
    Decode(BenchDecodeArgs),
}

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
    /// Start from this Hugging Face directory, written by this program, instead of random weights
    #[arg(long, value_name = "DIR", conflicts_with = "preset", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<PathBuf>,

    /// Which forking token stands in front of a trace
    #[arg(long, value_enum, value_name = "ARM", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodName>,
    /// N: number of forking tokens; at least as many as a question has traces
    #[arg(long, value_name = "N", help_heading = "Method")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forks: Option<usize>,
    /// L: how many trace tokens enter the matching cost [default: 8 for built-in tasks, 1000 for --data]
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

/// `--answers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswersName {
    /// Behind the last `####`, character by character
    Exact,
    /// The number behind the last `####`, or the last number, by its value
    Numeric,
    /// In the last \boxed{..}; numbers and fractions by their value
    Boxed,
}

impl From<AnswersName> for AnswerFormat {
    fn from(name: AnswersName) -> Self {
        match name {
            AnswersName::Exact => Self::Exact,
            AnswersName::Numeric => Self::Numeric,
            AnswersName::Boxed => Self::Boxed,
        }
    }
}

/// `--preset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetName {
    /// 0.9 M parameters: minutes on a laptop CPU
    Tiny,
    /// 0.6 M parameters: small enough for a web page
    Demo,
    /// 14 M parameters
    Small,
}

/// `--method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// The first trace of each question, always `<think1>`
    Sft,
    /// All traces, always `<think1>`
    SftMixed,
    /// All traces, a random injective assignment each step
    SsftRandom,
    /// All traces, the optimal matching
    Ssft,
}

/// `--matching`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchingName {
    /// From the whole matrix of costs
    Full,
    /// From as much of it as proves the optimum
    Lazy,
}

/// `--schedule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// Half a cosine down to a tenth
    Cosine,
    /// A straight line down to a tenth
    Linear,
    /// No change
    Constant,
}

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
    /// The same seed gives the same files
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
    /// The JSONL file
    pub file: PathBuf,
    /// N: forking tokens the file is meant for
    #[arg(long, default_value_t = 6)]
    pub forks: usize,
    /// Longest row, in tokens
    #[arg(long, default_value_t = 512)]
    pub context: usize,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A model directory or a checkpoint; without one, a fresh model with random weights
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
    /// N, for a fresh model
    #[arg(long, default_value_t = 6)]
    pub forks: usize,
    /// L: how many trace tokens enter the matching cost [default: that of `train`]
    #[arg(long, value_name = "L")]
    pub match_tokens: Option<usize>,
    /// Seed of the task and of a fresh model
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute
    #[arg(long, value_enum, default_value = "auto")]
    pub device: DeviceChoice,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How tokens are drawn.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Sampling")]
pub struct SamplingArgs {
    /// Only so many of the most likely tokens; 0 for all
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub top_k: usize,
    /// Only the fewest tokens that reach this probability together; 1 for all
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = 0.95)]
    pub top_p: f64,
    /// Only tokens this times as likely as the most likely one; 0 for all
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, default_value_t = 0.0)]
    pub min_p: f64,
    /// What makes tokens of the row less likely; 1 for no difference
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true, default_value_t = 1.0)]
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

/// `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// A run, its model or one of its checkpoints, or another model directory with forks
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
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
    /// Where the answer stands in the texts of --data, and when two are the same
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "exact",
        requires = "data",
        help_heading = "Questions"
    )]
    pub answers: AnswersName,
    /// Forks to ask: all that training used, the one that the coverage rule chose, or a number
    #[arg(long, value_name = "all|auto|K", default_value = "all", help_heading = "Answers")]
    pub fork: ForkChoice,
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
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        default_value_t = 0.7,
        help_heading = "Sampling"
    )]
    pub temperature: f64,
    /// Filters
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Rows that grow together
    #[arg(long, value_name = "COUNT", default_value_t = 384, help_heading = "Run")]
    pub rows: usize,
    /// Seed of the draws and, with --task, of the questions
    #[arg(long, default_value_t = 1, help_heading = "Run")]
    pub seed: u64,
    /// Where to compute: a real GPU if there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value = "auto", help_heading = "Run")]
    pub device: DeviceChoice,
    /// Write every figure and every answer to this file too
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long, help_heading = "Run")]
    pub quiet: bool,
}

/// `generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// A run, its model or one of its checkpoints, or another model directory with forks
    #[arg(long, value_name = "DIR")]
    pub model: PathBuf,
    /// The question
    #[arg(long, value_name = "TEXT")]
    pub prompt: String,
    /// Forks to ask: all that training used, the one that the coverage rule chose, or a number
    #[arg(long, value_name = "all|auto|K", default_value = "all")]
    pub fork: ForkChoice,
    /// Most tokens of an answer
    #[arg(long, value_name = "COUNT", default_value_t = 512)]
    pub max_tokens: usize,
    /// A text that ends an answer; may be given several times
    #[arg(long, value_name = "TEXT")]
    pub stop: Vec<String>,
    /// Where the answer stands in the texts, and when two are the same [default: that of the model's run, or exact]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub answers: Option<AnswersName>,
    /// What logits are divided by; 0 takes the most likely token
    #[arg(
        long,
        value_name = "NUMBER",
        allow_negative_numbers = true,
        default_value_t = 0.0,
        help_heading = "Sampling"
    )]
    pub temperature: f64,
    /// Filters
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute: a real GPU if there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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

/// What every `bench` takes.
#[derive(Debug, Args)]
pub struct MeasuringArgs {
    /// Measured runs of each
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub runs: usize,
    /// Seed of whatever is random
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute: a real GPU if there is one, else the CPU
    #[arg(long, value_enum, value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Write every figure to this file too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}

/// `bench kernels`.
#[derive(Debug, Args)]
pub struct BenchKernelsArgs {
    /// Only these kernels [default: all]
    #[arg(long, value_enum, value_name = "NAMES", value_delimiter = ',', hide_possible_values = true)]
    pub kernels: Vec<Kernel>,
    /// Tokens, each with one target where there is a vocabulary; every combination of the three lists is measured
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "512")]
    pub rows: Vec<usize>,
    /// Numbers of a token: even, heads have up to 32 of them
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "256")]
    pub width: Vec<usize>,
    /// Vocabularies of linear_nll
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32768")]
    pub vocab: Vec<usize>,
    /// How to measure
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Headings in the help of `bench steps`.
const RANDOM: &str = "Random model and tokens";
const TRAINED: &str = "Trained model and its data";

/// `bench steps`.
#[derive(Debug, Args)]
pub struct BenchStepsArgs {
    /// Only these arms [default: all]
    #[arg(long, value_enum, value_name = "ARMS", value_delimiter = ',')]
    pub arms: Vec<Arm>,
    /// Shape of a random model; the next five flags change it
    #[arg(
        long,
        value_enum,
        value_name = "PRESET",
        default_value = "tiny",
        help_heading = RANDOM
    )]
    pub preset: PresetName,
    /// Width of the residual stream
    #[arg(long, value_name = "COUNT", help_heading = RANDOM)]
    pub width: Option<usize>,
    /// Width inside the feed-forward network
    #[arg(long, value_name = "COUNT", help_heading = RANDOM)]
    pub inner: Option<usize>,
    /// Layers
    #[arg(long, value_name = "COUNT", help_heading = RANDOM)]
    pub layers: Option<usize>,
    /// Attention heads
    #[arg(long, value_name = "COUNT", help_heading = RANDOM)]
    pub heads: Option<usize>,
    /// Tokens in the vocabulary, forks included
    #[arg(long, value_name = "COUNT", default_value_t = 265, help_heading = RANDOM)]
    pub vocab: usize,
    /// N: forks; every combination of the lists is measured
    #[arg(
        long,
        value_name = "COUNTS",
        value_delimiter = ',',
        default_value = "6",
        help_heading = RANDOM
    )]
    pub forks: Vec<usize>,
    /// M: traces a question
    #[arg(
        long,
        value_name = "COUNTS",
        value_delimiter = ',',
        default_value = "4",
        help_heading = RANDOM
    )]
    pub traces: Vec<usize>,
    /// P: tokens of a prompt
    #[arg(
        long,
        value_name = "COUNTS",
        value_delimiter = ',',
        default_value = "32",
        help_heading = RANDOM
    )]
    pub prompt_tokens: Vec<usize>,
    /// T: tokens of a trace, the end included
    #[arg(
        long,
        value_name = "COUNTS",
        value_delimiter = ',',
        default_value = "96",
        help_heading = RANDOM
    )]
    pub trace_tokens: Vec<usize>,
    /// A trained model or a checkpoint instead, on the questions of --task or --data
    #[arg(long, value_name = "DIR", help_heading = TRAINED, conflicts_with_all = ["preset", "vocab", "width", "inner", "layers", "heads", "forks", "traces", "prompt_tokens", "trace_tokens"])]
    pub model: Option<PathBuf>,
    /// Built-in task of a trained model [default: arithmetic]
    #[arg(long, requires = "model", help_heading = TRAINED)]
    pub task: Option<String>,
    /// JSONL file instead of a task
    #[arg(
        long,
        value_name = "FILE",
        requires = "model",
        conflicts_with = "task",
        help_heading = TRAINED
    )]
    pub data: Option<PathBuf>,
    /// Level of the task [default: 1]
    #[arg(long, requires = "model", help_heading = TRAINED)]
    pub difficulty: Option<u8>,
    /// B: questions a step
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "4")]
    pub questions: Vec<usize>,
    /// L: how many trace tokens enter the matching cost
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32")]
    pub match_tokens: Vec<usize>,
    /// MiB that the passes of a step may take [default: as in `train`]
    #[arg(long, value_name = "MIB")]
    pub memory_budget: Option<usize>,
    /// How to measure
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// `bench decode`.
#[derive(Debug, Args)]
pub struct BenchDecodeArgs {
    /// Shape of a random model
    #[arg(long, value_enum, value_name = "PRESET", default_value = "tiny")]
    pub preset: PresetName,
    /// N: forks; every combination of the lists is measured
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "6")]
    pub forks: Vec<usize>,
    /// P: tokens of the prompt
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32")]
    pub prompt_tokens: Vec<usize>,
    /// Tokens of each answer
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "96")]
    pub answer_tokens: Vec<usize>,
    /// How to measure
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}
