//! What can be wrong with a dataset.
//!
//! Every message is one line: what is wrong, where, and what to do about it.

use serde_json::Value;
use ssft_data::error::{DataError, LineFault};
use thiserror::Error;

/// Why an import ends without an output file.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A file cannot be imported.
    #[error("{file}: {reason}; {remedy}")]
    File {
        /// The file's name, with the row at which reading stopped if there is one.
        file: String,
        /// What is wrong with it.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// A row does not have the columns of its layout.
    #[error("{place}: {fault}")]
    Row {
        /// The file's name and the row's number.
        place: String,
        /// What is wrong with the row.
        fault: RowFault,
    },
    /// Every row was dropped.
    #[error(
        "no question is left of {rows} ({dropped}); import other files, or ask for less with `min-traces`"
    )]
    Empty {
        /// Number of rows read, as `12 rows`.
        rows: String,
        /// Number of dropped questions and traces for each reason.
        dropped: String,
    },
}

/// Why a row cannot be read at all. A row that can be read but is of no use is dropped and counted instead.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RowFault {
    /// The line holds no row.
    #[error(transparent)]
    Line(LineFault),
    /// JSON, but not an object.
    #[error("not a JSON object; put one row, an object with its columns, on each line")]
    NotObject,
    /// A column that the layout is made of is not there.
    #[error("no column {column}; the layout {layout} needs it, so check --layout")]
    NoColumn {
        /// The column, or what may stand in its place.
        column: String,
        /// The layout's name.
        layout: &'static str,
    },
    /// A column holds something else than the layout says.
    #[error("column {column} holds {found} in place of {expected}; check --layout")]
    WrongType {
        /// The column's name.
        column: String,
        /// What it holds.
        found: &'static str,
        /// What it should hold.
        expected: &'static str,
    },
}

impl RowFault {
    /// `found` is not the `expected` content of `column`.
    pub(crate) fn wrong_type(column: &str, found: &Value, expected: &'static str) -> Self {
        Self::WrongType { column: column.to_owned(), found: kind(found), expected }
    }
}

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
