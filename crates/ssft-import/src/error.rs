//! Errors of an import. Each message is one line: the fault, its place, the remedy. Settings are written by name in
//! backticks.

use crate::spelled;
use serde_json::Value;
use ssft_data::error::{DataError, LineFault};
use thiserror::Error;

/// A fault that ends an import without an output file.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be imported.
    #[error("{file}: {reason}; {remedy}")]
    File {
        /// The file's name, with the last row read if there is one.
        file: String,
        /// The fault.
        reason: String,
        /// The remedy.
        remedy: String,
    },
    /// A row does not match its layout.
    #[error("{place}: {fault}")]
    Row {
        /// The file's name and the row's number.
        place: String,
        /// The fault of the row.
        fault: RowFault,
    },
    /// Every row was dropped.
    #[error(
        "no question is left of {rows} ({dropped}); import other files, or ask for less with `min-traces`"
    )]
    Empty {
        /// Number of rows read, for example `12 rows`.
        rows: String,
        /// Number of dropped questions and traces for each reason.
        dropped: String,
    },
}

/// A fault of a row. A row that is valid but has no usable content is dropped and counted instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowFault {
    /// The line is not valid JSON, not UTF-8 or too long.
    #[error(transparent)]
    Line(LineFault),
    /// A JSON value that is not an object.
    #[error("not a JSON object; put one row, an object with its columns, on each line")]
    NotObject,
    /// A required column is missing.
    #[error("no column {column}; the layout {layout} needs it, so check `layout`")]
    NoColumn {
        /// The column, or its alternatives.
        column: String,
        /// The layout's name.
        layout: &'static str,
    },
    /// A column has the wrong type.
    #[error("column {column} holds {found} in place of {expected}; check `layout`")]
    WrongType {
        /// The column's name.
        column: String,
        /// Type of its content.
        found: &'static str,
        /// Type that the layout requires.
        expected: &'static str,
    },
    /// A column that is read has a value that Python writes and JSON does not have.
    #[error("column {column} holds {}", spelled::in_words(found))]
    NoValue {
        /// The column's name.
        column: String,
        /// The spelling, for example `NaN`, or half of a surrogate pair.
        found: String,
    },
}

impl RowFault {
    /// The fault of `column` with content `found` in place of `expected`.
    pub(crate) fn wrong_type(column: &str, found: &Value, expected: &'static str) -> Self {
        let column = column.to_owned();
        match spelled::of(found) {
            Some(odd) if spelled::of_number(found).is_none() => {
                Self::NoValue { column, found: odd.to_owned() }
            }
            Some(_) => Self::WrongType { column, found: "a number", expected },
            None => Self::WrongType { column, found: kind(found), expected },
        }
    }
}

/// The type of a JSON value in words.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
