//! Arguments of `bench`.

use super::settings::choice;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ssft_bench::Arm;
use ssft_bench::kernel::Kernel;
use ssft_bench::matmul::LinearShape;
use ssft_model::config::Preset;
use ssft_run::settings::DeviceChoice;
use std::path::PathBuf;

/// Parses the name of a kernel.
fn kernel() -> impl TypedValueParser<Value = Kernel> {
    PossibleValuesParser::new(Kernel::ALL.iter().map(|kernel| kernel.name()))
        .try_map(|name| name.parse::<Kernel>())
}

/// Parses the name of an arm.
fn arm() -> impl TypedValueParser<Value = Arm> {
    let named = Arm::ALL.map(|arm| PossibleValue::new(arm.key()).help(arm.help()));
    PossibleValuesParser::new(named).try_map(|key| key.parse::<Arm>())
}

/// Arguments of all `bench` commands but `bench memory`.
#[derive(Debug, Args)]
pub struct MeasuringArgs {
    /// Timed runs of each variant
    #[arg(long, value_name = "COUNT", default_value_t = 5)]
    pub runs: usize,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute; auto is a hardware GPU if there is one, else the CPU
    #[arg(long, value_parser = choice::<DeviceChoice>("device"), value_name = "DEVICE", default_value = "auto")]
    pub device: DeviceChoice,
    /// Also write all figures to this JSON file
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
    #[arg(long, value_parser = kernel(), value_name = "NAMES", value_delimiter = ',', hide_possible_values = true)]
    pub kernels: Vec<Kernel>,
    /// Rows of the input, one target each for linear_nll; every combination of the three lists is measured
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "512")]
    pub rows: Vec<usize>,
    /// Width of a row, an even number; attention heads are up to 32 wide
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "256")]
    pub width: Vec<usize>,
    /// Vocabulary sizes of linear_nll
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32768")]
    pub vocab: Vec<usize>,
    /// Runs, seed, device and output.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// Headings in the help of `bench steps`.
const RANDOM: &str = "Random model and tokens";
const TRAINED: &str = "Trained model and its data";

/// Shape of a random model.
#[derive(Debug, Args)]
pub struct ModelShapeArgs {
    /// Shape of a random model; the next seven flags change it
    #[arg(long, value_parser = choice::<Preset>("preset"), value_name = "PRESET", default_value = "tiny", help_heading = RANDOM)]
    pub preset: Preset,
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
    /// Heads of keys and values, a divisor of --heads [default: --heads]
    #[arg(long, value_name = "COUNT", help_heading = RANDOM)]
    pub kv_heads: Option<usize>,
    /// Add biases to queries, keys and values, as in Qwen2
    #[arg(long, help_heading = RANDOM)]
    pub qkv_bias: bool,
    /// Tokens in the vocabulary, forks included
    #[arg(long, value_name = "COUNT", default_value_t = 265, help_heading = RANDOM)]
    pub vocab: usize,
}

/// `bench steps`.
#[derive(Debug, Args)]
pub struct BenchStepsArgs {
    /// Only these arms [default: all]
    #[arg(long, value_parser = arm(), value_name = "ARMS", value_delimiter = ',')]
    pub arms: Vec<Arm>,
    /// Shape of a random model
    #[command(flatten)]
    pub shape: ModelShapeArgs,
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
    /// Trained model or checkpoint to measure instead of a random model, on the questions of --task or --data
    #[arg(long, value_name = "DIR", help_heading = TRAINED, conflicts_with_all = ["preset", "vocab", "width", "inner", "layers", "heads", "kv_heads", "qkv_bias", "forks", "traces", "prompt_tokens", "trace_tokens"])]
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
    /// L: number of trace tokens that enter the matching cost
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32")]
    pub match_tokens: Vec<usize>,
    /// Memory for the passes of a step, in MiB [default: as in `train`]
    #[arg(long, value_name = "MIB")]
    pub memory_budget: Option<usize>,
    /// Also time every kernel in one extra step of each arm, its kernels one after another; GPU only
    #[arg(long)]
    pub profile: bool,
    /// Runs, seed, device and output.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// `bench decode`.
#[derive(Debug, Args)]
pub struct BenchDecodeArgs {
    /// Shape of a random model
    #[arg(long, value_parser = choice::<Preset>("preset"), value_name = "PRESET", default_value = "tiny")]
    pub preset: Preset,
    /// N: forks; every combination of the lists is measured
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "6")]
    pub forks: Vec<usize>,
    /// P: tokens of the prompt
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "32")]
    pub prompt_tokens: Vec<usize>,
    /// Tokens of each answer
    #[arg(long, value_name = "COUNTS", value_delimiter = ',', default_value = "96")]
    pub answer_tokens: Vec<usize>,
    /// Runs, seed, device and output.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// `bench matmul`.
#[derive(Debug, Args)]
pub struct BenchMatmulArgs {
    /// Linear layers as ROWSxINxOUT: 1024x576x1536 is 1024 tokens through a weight [1536, 576]
    #[arg(long, value_name = "SHAPES", value_delimiter = ',', default_value = "1536x128x384,1536x384x128")]
    pub shapes: Vec<LinearShape>,
    /// Runs, seed, device and output.
    #[command(flatten)]
    pub measuring: MeasuringArgs,
}

/// `bench memory`.
#[derive(Debug, Args)]
pub struct BenchMemoryArgs {
    /// Steps of `ssft` with lazy matching, each with 4 questions, 6 forks and 4 traces
    #[arg(long, value_name = "COUNT", default_value_t = 2000)]
    pub steps: usize,
    /// Shape of a random model
    #[command(flatten)]
    pub shape: ModelShapeArgs,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Where to compute: auto or wgpu, which must find an adapter
    #[arg(long, value_parser = choice::<DeviceChoice>("device"), value_name = "DEVICE", default_value = "wgpu")]
    pub device: DeviceChoice,
    /// Also write all figures to this JSON file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Print errors only
    #[arg(long)]
    pub quiet: bool,
}
