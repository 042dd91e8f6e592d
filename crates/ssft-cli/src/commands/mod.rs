//! Commands, one file each.

mod asking;
mod bench;
mod data;
mod devices;
mod eval;
mod eval_questions;
mod generate;
mod import;
mod inspect;
mod report;
mod train;
mod training;

use crate::args::{BenchCommand, Cli, Command, DataCommand};
use crate::exit::Failure;

/// Runs the command of `cli`.
///
/// # Errors
/// [`Failure`] with the exit status and the message.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Train(args) => train::train(&args),
        Command::Data(DataCommand::Make(args)) => data::make(&args),
        Command::Data(DataCommand::Check(args)) => data::check(&args),
        Command::Data(DataCommand::Import(args)) => import::import(&args),
        Command::Report(args) => report::report(&args),
        Command::Inspect(args) => inspect::inspect(&args),
        Command::Bench(BenchCommand::Kernels(args)) => bench::kernels(&args),
        Command::Bench(BenchCommand::Steps(args)) => bench::steps(&args),
        Command::Bench(BenchCommand::Decode(args)) => bench::decode(&args),
        Command::Bench(BenchCommand::Matmul(args)) => bench::matmul(&args),
        Command::Bench(BenchCommand::Memory(args)) => bench::memory(&args),
        Command::Eval(args) => eval::eval(&args),
        Command::Generate(args) => generate::generate(&args),
        Command::Devices(args) => devices::devices(&args),
    }
}
