//! How the program ends: 0 done, 1 the run failed, 2 unusable arguments or input, 130 interrupted.

use crate::args::settings::dashed;
use ssft_report::ReportError;
use ssft_run::{RunError, spelled};
use std::any::Any;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use thiserror::Error;

/// A way to end that is not success.
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
    /// An unusable input, in the words of `error`.
    pub fn usage(error: impl std::fmt::Display) -> Self {
        Self::Usage(in_words(&error.to_string()))
    }

    /// An error of a run, its settings spelled as flags.
    fn of_run(error: &RunError) -> Self {
        let words = match error {
            RunError::Unknown { key } => format!("--{key}: no such setting"),
            error => in_words(&error.to_string()),
        };
        if error.is_input() { Self::Usage(words) } else { Self::Run(words) }
    }

    /// A failed run, in the words of `error`.
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

/// A message of the libraries as a user of the command line writes settings and commands.
pub fn in_words(message: &str) -> String {
    spelled(message, dashed).replace("`data make`", "`ssft-wgpu data make`")
}

/// Silences the panic hook, unless `RUST_BACKTRACE` asks for it: [`guard`] reports panics as one line.
pub fn quiet_panics() {
    if std::env::var_os("RUST_BACKTRACE").is_none_or(|value| value == "0") {
        panic::set_hook(Box::new(|_| {}));
    }
}

/// Runs `command` and turns whatever happens into one line and an exit status.
///
/// burn and CubeCL panic when a device is lost or out of memory; that too must end in one clear line.
pub fn guard(command: impl FnOnce() -> Result<(), Failure>) -> ExitCode {
    let outcome = panic::catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|panic| {
        // `println!` panics when whoever reads our output has had enough: that is their right.
        let words = words_of(panic.as_ref());
        if words.starts_with("failed printing to std") {
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

/// Prints a line for people. That nobody reads it is no reason to stop: a terminal may be gone while a run goes on.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints what clap has to say: help and version as they are, an error as one line.
pub fn unusable_arguments(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if !error.use_stderr() {
        print!("{text}");
        return ExitCode::SUCCESS;
    }
    // Without any argument clap shows the help as an error; shortening it would help nobody.
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

/// What a panic means to a user. Public so that the training loop can say it together with the last checkpoint.
pub fn explain_panic(panic: &(dyn Any + Send)) -> String {
    let words =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    let words = one_line(words.unwrap_or("no further word"));
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
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no further word")
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
