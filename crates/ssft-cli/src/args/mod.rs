//! What a user types: the commands here, the arguments of each in the files below.

mod asking;
mod bench;
mod data;
mod file;
mod names;
pub mod settings;
mod train;

pub use asking::{EvalArgs, GenerateArgs, ReportArgs, SamplingArgs, WhoArgs};
pub use bench::{
    BenchDecodeArgs, BenchKernelsArgs, BenchMatmulArgs, BenchMemoryArgs, BenchStepsArgs, MeasuringArgs,
    ModelShapeArgs,
};
pub use data::{CheckArgs, ImportArgs, InspectArgs, MakeArgs};
pub use file::with_config;
pub use names::LayoutName;
pub use settings::SettingFlags;
pub use train::TrainArgs;

use clap::{Args, Parser, Subcommand};
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
    /// Make, check or import data
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
    Devices(DevicesArgs),
}

/// Commands about data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Write a built-in task as JSONL
    Make(MakeArgs),
    /// Validate a JSONL file, without training
    Check(CheckArgs),
    /// Turn a published dataset (s1K, OpenR1-Math, OpenThoughts, chats) into JSONL, with counts of what was dropped
    Import(ImportArgs),
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
    /// Matrix products of linear layers, forward and backward, in TFLOP/s
    Matmul(BenchMatmulArgs),
    /// Memory that a GPU reserves during many training steps
    Memory(Box<BenchMemoryArgs>),
}

/// `devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Write features, limits and cooperative-matrix shapes of every adapter to this JSON file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
