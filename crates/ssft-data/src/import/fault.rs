//! What can be wrong with one row of a dataset.

use crate::error::LineFault;
use serde_json::Value;
use thiserror::Error;

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
    pub(super) fn wrong_type(column: &str, found: &Value, expected: &'static str) -> Self {
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
