//! Error types of this crate: one for weights and `config.json`, one for the other files of a model directory.
//!
//! This file imports no other file of the crate.

use std::fmt::Display;
use thiserror::Error;

/// Why `config.json` or the weights of a model cannot be read or written. Messages are one line.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// `config.json` is malformed or describes a model that this crate does not support.
    #[error("config.json: {what}")]
    Config {
        /// What is wrong, with the key.
        what: String,
    },
    /// A weights file is missing, damaged or unreadable.
    #[error("{file}: {what}")]
    Weights {
        /// Name of the file.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The index of a model in several weights files does not match the files.
    #[error("model.safetensors.index.json: {}", problems.join("; "))]
    Index {
        /// All mismatches.
        problems: Vec<String>,
    },
    /// The weights files are intact, but their tensors are not those of the model in `config.json`.
    #[error("the weights do not fit config.json: {}", problems.join("; "))]
    Mismatch {
        /// One entry per tensor.
        problems: Vec<String>,
    },
    /// A weight is NaN or infinite; such a model is not saved.
    #[error("{name} holds a number that is not finite; nothing was saved, try a lower `lr`")]
    NotFinite {
        /// Name of the tensor.
        name: String,
    },
    /// A weight exceeds the largest value of the type that it is to be stored in.
    #[error("{name} holds a number that is too large for {dtype}; nothing was saved")]
    TooLarge {
        /// Name of the tensor.
        name: String,
        /// Name of the type, for example `float16`.
        dtype: &'static str,
    },
    /// Copying weights from the device to the host failed.
    #[error("reading the weights back from the device failed: {what}")]
    Device {
        /// Error message of the device.
        what: String,
    },
    /// Writing the weights file failed.
    #[error("{error}")]
    Write {
        /// Error of the operating system.
        error: std::io::Error,
    },
}

impl CheckpointError {
    /// A [`CheckpointError::Config`] with this message.
    pub(crate) fn config(what: impl Into<String>) -> Self {
        Self::Config { what: what.into() }
    }
}

/// Why the text files of a model directory cannot be read or written. Messages are one line, without the directory's name.
#[derive(Debug, Error)]
#[error("{}{what}", file.map(|file| format!("{file}: ")).unwrap_or_default())]
pub struct DirectoryError {
    /// The file that caused the error, if it is a single one.
    pub file: Option<&'static str>,
    /// What is wrong and how to fix it.
    pub what: String,
}

impl DirectoryError {
    /// An error that concerns several files, or whose message names the file itself.
    pub(crate) fn whole(what: impl Display) -> Self {
        Self { file: None, what: what.to_string() }
    }

    /// An error of one file.
    pub(crate) fn of(file: &'static str, what: String) -> Self {
        Self { file: Some(file), what }
    }
}
