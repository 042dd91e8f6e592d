//! Commands for developers of this repository: `cargo xtask COMMAND`.

mod apt;
mod check;
mod demo_model;
mod deny;
mod document;
mod experiment;
mod gpu_kit;
mod gpu_report;
mod process;
mod python;
mod setup;
mod steps;
mod test;
mod vulkan;
mod web;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use steps::Steps;
use test::Checks;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need, or print what to install
    Setup,
    /// Check spelling, format, lints (also for the browser's target) and documentation
    Check,
    /// Run setup, check and every test
    Test {
        /// Skip `check`
        #[arg(long)]
        quick: bool,
    },
    /// Run only the tests that compare with `transformers`
    Parity,
    /// Train and evaluate every arm on two tasks with several seeds, in about two hours on two cores
    Experiment(experiment::Experiment),
    /// Build a folder that tests and measures a graphics card in at most eight minutes (tests/gpu-kit)
    GpuKit(gpu_kit::GpuKit),
    /// Write the results of that folder as a section of docs/benchmarks.md
    GpuReport(gpu_report::GpuReport),
    /// Build the page into web/dist
    Web {
        /// Serve the page on this machine afterwards
        #[arg(long)]
        serve: bool,
    },
    /// Train the demo model of the page, in about ten minutes on two cores
    DemoModel,
    /// Check licences, advisories and sources of every dependency
    Deny,
}

impl Chore {
    fn run(self, steps: &mut Steps) -> Result<()> {
        match self {
            Self::Setup => setup::run(steps).map(drop),
            Self::Check => check::run(steps),
            Self::Test { quick } => test::run(steps, if quick { Checks::Skipped } else { Checks::Included }),
            Self::Parity => test::parity(steps),
            Self::Experiment(experiment) => experiment::run(steps, &experiment),
            Self::GpuKit(kit) => gpu_kit::run(steps, &kit),
            Self::GpuReport(report) => gpu_report::run(&report),
            Self::Web { serve: false } => web::build(steps).map(|page| println!("{}", page.display())),
            Self::Web { serve: true } => web::serve(steps),
            Self::DemoModel => demo_model::run(steps),
            Self::Deny => deny::run(steps),
        }
    }
}

fn main() -> ExitCode {
    let mut steps = Steps::start();
    match Arguments::parse().chore.run(&mut steps) {
        Ok(()) => {
            steps.finish();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
