//! The command line: arguments, progress on a terminal, errors as one line.
//!
//! [`args`] defines the flags, each file of [`commands`] runs one command, and `ssft_run` trains. No other crate prints to the
//! terminal.

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

/// Main function of the program: parses the arguments, runs the command, prints an error as one line.
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
        // Runs on a thread of rayon's pool, where an operation on the CPU starts its tasks at once. From any other thread each
        // operation would wake the pool and sleep, which took 1/12 of the time of a step.
        Ok(cli) => exit::guard(|| rayon::scope(|_| commands::run(cli))),
        Err(error) => exit::unusable_arguments(&error),
    }
}

/// Makes glibc's allocator keep freed memory. By default it returns large buffers to the system when they are freed, and every
/// step maps the same pages again, which took 1/6 of the time of a step. Other allocators keep them by default.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: sets two parameters of the allocator while the program has one thread.
        #[allow(unsafe_code, reason = "libc has no safe call for it")]
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
            libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
        }
    }
}

/// Writes log messages of wgpu, CubeCL and other libraries to standard error if `RUST_LOG` is set; drops them otherwise.
fn listen_to_libraries() {
    let silent = tracing_subscriber::filter::LevelFilter::OFF.into();
    let filter = tracing_subscriber::EnvFilter::builder().with_default_directive(silent).from_env_lossy();
    // Fails only in a program that uses this crate as a library and has set a subscriber already.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}
