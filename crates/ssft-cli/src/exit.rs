//! Exit status of the program: 0 success, 1 failed run, 2 unusable arguments or input, 130 interrupted.

use crate::args::settings::dashed;
use ssft_report::ReportError;
use ssft_run::{RunError, spelled};
use std::any::Any;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use thiserror::Error;

/// Reason for an exit status other than 0.
#[derive(Debug, Error)]
pub enum Failure {
    /// The arguments or the input cannot be used; nothing was done.
    #[error("{0}")]
    Usage(String),
    /// The run failed.
    #[error("{0}")]
    Run(String),
    /// The user stopped the run, and it saved its state.
    #[error("{0}")]
    Interrupted(String),
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::of_run(&error)
    }
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Run(error) => error.into(),
            error if error.is_input() => Self::Usage(error.to_string()),
            error => Self::run(error),
        }
    }
}

impl Failure {
    /// An unusable input, with the message of `error`.
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(in_words(&error.to_string()))
    }

    /// An error of a run, with the settings in its message spelled as flags.
    fn of_run(error: &RunError) -> Self {
        let words = match error {
            RunError::Unknown { key } => format!("--{key}: no such setting"),
            error => in_words(&error.to_string()),
        };
        if error.is_input() { Self::Usage(words) } else { Self::Run(words) }
    }

    /// A failed run, with the message of `error`.
    pub fn run(error: impl std::fmt::Display) -> Self {
        Self::Run(in_words(&error.to_string()))
    }

    fn code(&self) -> u8 {
        match self {
            Self::Run(_) => 1,
            Self::Usage(_) => 2,
            Self::Interrupted(_) => 130,
        }
    }
}

/// Rewrites a message of a library for the command line: settings as flags, commands with the name of the program.
pub fn in_words(message: &str) -> String {
    let commands = ["data make", "data check"];
    let named = |text: String, name| text.replace(&format!("`{name}`"), &format!("`ssft-wgpu {name}`"));
    commands.into_iter().fold(spelled(message, dashed), named)
}

/// Beginning of the message of a panic of `print!`, whose standard output is closed or full.
const FAILED_PRINT: &str = "failed printing to std";

/// Silences the panic hook, because [`guard`] reports a panic as one line. With `RUST_BACKTRACE` it shows panics, except of
/// `print!`: a closed or full standard output is no mistake of the program.
pub fn quiet_panics() {
    let shows = std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0");
    let show = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if shows && !words_of(panic.payload()).starts_with(FAILED_PRINT) {
            show(panic);
        }
    }));
}

/// Runs `command`; prints an error or a panic as one line and returns the exit status.
///
/// Panics are caught because burn and CubeCL panic when a device is lost or out of memory.
pub fn guard(command: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let outcome = panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|panic| {
        // `println!` panics when the reader of a pipe closes it (`ssft-wgpu devices | head -1`): no error.
        let words = words_of(panic.as_ref());
        if words.starts_with(FAILED_PRINT) {
            return match words.contains("Broken pipe") {
                true => Ok(()),
                false => Err(Failure::Run(words.to_string())),
            };
        }
        Err(Failure::Run(explain_panic(panic.as_ref())))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let label = if matches!(failure, Failure::Interrupted(_)) { "stopped" } else { "error" };
            say(&format!("{label}: {}", one_line(&failure.to_string())));
            ExitCode::from(failure.code())
        }
    }
}

/// Prints a line on standard error. A failed write is ignored: a run continues after its terminal is closed.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints an outcome of clap's parser: help and version unchanged, an error as one line.
pub fn unusable_arguments(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if !error.use_stderr() {
        return guard(|| {
            print!("{text}");
            Ok(())
        });
    }
    // Without any argument clap returns the help as an error; it is printed in full.
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        say(text.trim_end());
        return ExitCode::from(2);
    }
    let said: Vec<&str> = text.lines().take_while(|line| !line.starts_with("Usage:")).collect();
    let said = one_line(&said.join(" "));
    let said = said.strip_suffix("For more information, try '--help'.").unwrap_or(&said).trim();
    say(&format!("{said}; see --help"));
    ExitCode::from(2)
}

/// One-line explanation of a panic for the user. The training loop adds the path of the last checkpoint to it.
pub fn explain_panic(panic: &(dyn Any + Send)) -> String {
    let words =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let words = one_line(words.unwrap_or("no message"));
    let lower = words.to_lowercase();
    if lower.contains("memory") || lower.contains("alloc") {
        return format!(
            "out of memory on the device; use a smaller --batch-questions (bench: --rows) or --device cpu ({words})"
        );
    }
    if lower.contains("device") && lower.contains("lost") {
        return format!("the device was lost; start again, or use --device cpu ({words})");
    }
    format!("something broke that should not; please report it with RUST_BACKTRACE=1 ({words})")
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panics_become_advice() {
        let says = |words: &str| explain_panic(&words.to_owned() as &(dyn Any + Send));
        assert!(says("Unable to allocate\n 3 GB").starts_with("out of memory on the device; use a smaller"));
        assert!(says("Device is lost").starts_with("the device was lost;"));
        assert!(says("index 4").starts_with("something broke that should not;"));
        assert!(!says("a\nb").contains('\n'));
    }
}
