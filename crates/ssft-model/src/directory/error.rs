//! Why a model directory cannot be read or written.

use std::fmt::Display;
use thiserror::Error;

/// Why a model directory cannot be used. Messages are one line, without the directory's name.
#[derive(Debug, Error)]
#[error("{}{what}", file.map(|file| format!("{file}: ")).unwrap_or_default())]
pub struct DirectoryError {
    /// The file at fault, if it is one alone.
    pub file: Option<&'static str>,
    /// What is wrong and what to do.
    pub what: String,
}

impl DirectoryError {
    pub(super) fn whole(what: impl Display) -> Self {
        Self { file: None, what: what.to_string() }
    }

    pub(super) fn of(file: &'static str, what: String) -> Self {
        Self { file: Some(file), what }
    }
}
