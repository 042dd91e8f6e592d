//! What a command prints, and where.

use crate::exit::say;

/// Whether progress is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Voice {
    /// Every line is printed.
    Normal,
    /// Errors only.
    Quiet,
}

impl Voice {
    /// Normal, unless a flag asks for quiet.
    pub fn new(quiet: bool) -> Self {
        if quiet { Self::Quiet } else { Self::Normal }
    }

    /// Prints a line.
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
    /// Text, unless the flag `--json` is given.
    pub fn new(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}
