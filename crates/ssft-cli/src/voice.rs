//! Amount and form of a command's output.

use crate::exit::say;

/// Amount of output for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Progress, results and errors.
    Normal,
    /// Errors only.
    Quiet,
}

impl Voice {
    /// Quiet if the flag `--quiet` is given.
    pub fn new(quiet: bool) -> Self {
        if quiet { Self::Quiet } else { Self::Normal }
    }

    /// Prints a line on standard error; nothing if quiet.
    pub fn say(self, line: &str) {
        if self == Self::Normal {
            say(line);
        }
    }
}

/// Form of a command's result on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// Tables and lines.
    Text,
    /// JSON alone.
    Json,
}

impl Output {
    /// JSON if the flag `--json` is given.
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}
