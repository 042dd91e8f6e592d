//! Commands and their arguments: the commands here, the arguments of each command in the files below.

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
    /// Command to run.
    #[command(subcommand)]
    pub command: Command,
}

/// One command of the program.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a model; without arguments on the built-in arithmetic task, in a few minutes on a laptop CPU
    Train(Box<TrainArgs>),
    /// Make, check or import data
    #[command(subcommand)]
    Data(DataCommand),
    /// Measure accuracy, votes and diversity of the forks of a trained model, on questions that it was not trained on
    Eval(Box<EvalArgs>),
    /// Answer a prompt with every fork of a trained model, and vote
    Generate(GenerateArgs),
    /// Write the HTML report of a run, or a comparison of several runs
    Report(ReportArgs),
    /// Show the training input of one question: rows with target mask, cost matrix, matching
    Inspect(InspectArgs),
    /// Measure time and memory
    #[command(subcommand)]
    Bench(BenchCommand),
    /// List every adapter that wgpu finds, and the device that `auto` selects
    Devices(DevicesArgs),
}

/// Commands about data.
#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Write a built-in task as JSONL
    Make(MakeArgs),
    /// Validate a JSONL file
    Check(CheckArgs),
    /// Convert a published dataset (s1K, OpenR1-Math, OpenThoughts, chats) to JSONL, and count dropped rows
    Import(ImportArgs),
}

/// Commands that measure.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time and memory of the kernels, and of the plain tensor operations that they replace
    Kernels(BenchKernelsArgs),
    /// Time and memory of whole training steps of each arm
    Steps(Box<BenchStepsArgs>),
    /// Time and memory of N answers from one shared prompt, and of N separate generations
    Decode(BenchDecodeArgs),
    /// Matrix products of linear layers, forward and backward, in TFLOP/s
    Matmul(BenchMatmulArgs),
    /// Memory reserved on a GPU during many training steps
    Memory(Box<BenchMemoryArgs>),
}

/// `devices`.
#[derive(Debug, Args)]
pub struct DevicesArgs {
    /// Also write features, limits and cooperative-matrix shapes of every adapter to this JSON file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}
