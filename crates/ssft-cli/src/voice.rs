//! Lines for people on standard error.

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
    pub fn new(is_quiet: bool) -> Self {
        if is_quiet { Self::Quiet } else { Self::Normal }
    }

    /// Prints a line.
    pub fn say(self, line: &str) {
        if self == Self::Normal {
            say(line);
        }
    }
}
