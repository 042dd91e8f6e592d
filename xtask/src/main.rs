//! Every chore of the repository behind `cargo xtask`.

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

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Install what the tests need, or say what to install
    Setup,
    /// Formatting, lints, the browser's target, documentation
    Check,
    /// The one command: setup, check and every test
    Test {
        /// Skip `check`
        #[arg(long)]
        quick: bool,
    },
    /// Only the tests that compare with `transformers`
    Parity,
    /// Every arm on two tasks with several seeds: about two hours on two cores
    Experiment(experiment::Experiment),
    /// A folder that tests and measures a graphics card in at most eight minutes: tests/gpu-kit
    GpuKit(gpu_kit::GpuKit),
    /// What the folder found, as a section of docs/benchmarks.md
    GpuReport(gpu_report::GpuReport),
    /// The browser's page, into web/dist
    Web {
        /// Then serve it on this machine
        #[arg(long)]
        serve: bool,
    },
    /// The model that the page opens with, trained anew: about ten minutes on two cores
    DemoModel,
    /// Licences, advisories and sources of every dependency
    Deny,
}

impl Chore {
    fn run(self, steps: &mut Steps) -> Result<()> {
        match self {
            Self::Setup => setup::run(steps).map(drop),
            Self::Check => check::run(steps),
            Self::Test { quick } => test::run(steps, quick),
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
