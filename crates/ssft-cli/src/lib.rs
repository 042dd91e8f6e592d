//! The command line: arguments, progress on a terminal, errors as one line.
//!
//! [`args`] is what a user types; each file of [`commands`] is one command; a run itself is in `ssft_run`. This is the only crate
//! with a terminal.

pub mod args;
pub mod commands;
pub mod exit;
mod interrupts;
mod live;
mod progress;
mod result_file;
pub mod table;
mod tables;
mod voice;

use clap::{CommandFactory, FromArgMatches};
use std::process::ExitCode;

/// The whole program: parses the arguments, runs the command, prints an error as one line.
pub fn main() -> ExitCode {
    exit::quiet_panics();
    keep_freed_memory();
    listen_to_libraries();
    let mut program = args::Cli::command();
    let words = match args::with_config(std::env::args_os().collect(), &mut program) {
        Ok(words) => words,
        Err(failure) => return exit::guard(|| Err(failure)),
    };
    let matches = program.try_get_matches_from(words);
    match matches.and_then(|matches| args::Cli::from_arg_matches(&matches)) {
        // On a thread of rayon's: from there every operation on the CPU starts its tasks at once, while from any other
        // thread it would have to wake the pool and sleep (a twelfth of a step's time).
        Ok(cli) => exit::guard(|| rayon::scope(|_| commands::run(cli))),
        Err(error) => exit::unusable_arguments(&error),
    }
}

/// By default glibc gives large buffers back to the system as soon as they are freed, and every step would map the same
/// pages anew: that took a sixth of a step's time. Other allocators keep them by themselves.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: sets two numbers of the allocator, before there is another thread.
        #[allow(unsafe_code, reason = "the allocator has no safe face")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    }
}

/// What wgpu, CubeCL and others have to say goes to standard error where `RUST_LOG` asks for it, and nowhere else.
fn listen_to_libraries() {
    let silent = tracing_subscriber::filter::LevelFilter::OFF.into();
    let filter = tracing_subscriber::EnvFilter::builder().with_default_directive(silent).from_env_lossy();
    // Fails only if somebody else listens already, in a program that uses this crate as a library.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
