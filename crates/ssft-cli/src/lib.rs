//! The command line: arguments -> resolved config -> calls into the other crates.
//!
//! [`args`] is what a user types, [`config`] what a run is made of once defaults, file and flags are merged;
//! each file of [`commands`] is one command. This is the only crate with a terminal, a file system and a clock.

pub mod args;
pub mod commands;
pub mod config;
pub mod device;
pub mod exit;
pub mod files;
pub mod metrics;
pub mod report;
pub mod run;
pub mod setup;
pub mod table;

use clap::{CommandFactory, FromArgMatches};
use std::process::ExitCode;

/// The whole program: parses the arguments, runs the command, prints an error as one line.
pub fn main() -> ExitCode {
    exit::quiet_panics();
    let matches = config::with_defaults_in_help(args::Cli::command()).try_get_matches();
    match matches.and_then(|matches| args::Cli::from_arg_matches(&matches)) {
        Ok(cli) => exit::guard(|| commands::run(cli)),
        Err(error) => exit::unusable_arguments(&error),
    }
}
