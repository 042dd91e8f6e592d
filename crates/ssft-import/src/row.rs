//! One row of a dataset, independent of the file format.

use crate::error::RowFault;
use crate::spelled;
use serde_json::{Map, Value};
use ssft_data::anything::Anything;

/// Columns of a row by name, in file order. A column that no layout reads is `true` if it holds anything.
pub(super) type Columns = Map<String, Value>;

/// A row. Reading a column moves its content out.
#[derive(Debug, Clone)]
pub(super) struct Row {
    columns: Columns,
    layout: &'static str,
}

impl Row {
    /// A row with these columns; `layout` is the name of the layout in errors.
    pub(super) fn new(columns: Columns, layout: &'static str) -> Self {
        Self { columns, layout }
    }

    /// Whether the column exists; it may be null.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Whether the column exists and is not null.
    pub(super) fn holds(&self, column: &str) -> bool {
        self.columns.get(column).is_some_and(|value| !value.is_null())
    }

    /// Whether the column contains `text`, apart from white space at its ends.
    pub(super) fn is_text(&self, column: &str, text: &str) -> bool {
        self.columns.get(column).and_then(Value::as_str).is_some_and(|content| content.trim() == text.trim())
    }

    /// Names of the columns that still hold anything, in file order.
    pub(super) fn unread(&self) -> impl Iterator<Item = &str> {
        let held = self.columns.iter().filter(|(_, value)| Anything::is_in(value));
        held.map(|(name, _)| name.as_str())
    }

    /// Column names, in file order.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The fault of a row without `column`.
    pub(super) fn lacks(&self, column: &str) -> RowFault {
        RowFault::NoColumn { column: column.to_owned(), layout: self.layout }
    }

    /// The text of a required column; empty if null.
    pub(super) fn text(&mut self, column: &str) -> Result<String, RowFault> {
        if self.has(column) { self.text_if_any(column) } else { Err(self.lacks(column)) }
    }

    /// The text of an optional column; empty if missing or null.
    pub(super) fn text_if_any(&mut self, column: &str) -> Result<String, RowFault> {
        text(column, self.take(column), "text")
    }

    /// The list in a required column; empty if null.
    pub(super) fn list(&mut self, column: &str) -> Result<Vec<Value>, RowFault> {
        if !self.has(column) {
            return Err(self.lacks(column));
        }
        Ok(self.list_if_any(column)?.unwrap_or_default())
    }

    /// The list in an optional column; `None` if missing or null.
    pub(super) fn list_if_any(&mut self, column: &str) -> Result<Option<Vec<Value>>, RowFault> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Array(values) => Ok(Some(values)),
            other => Err(RowFault::wrong_type(column, &other, "a list")),
        }
    }

    /// The list of texts in a required column; null items are empty texts.
    pub(super) fn texts(&mut self, column: &str) -> Result<Vec<String>, RowFault> {
        let values = self.list(column)?;
        values.into_iter().map(|value| text(column, value, "a list of texts")).collect()
    }

    /// The list of truth values in an optional column; `None` if missing or null, and for null items.
    pub(super) fn flags(&mut self, column: &str) -> Result<Option<Vec<Option<bool>>>, RowFault> {
        let flag = |value| match value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(flag)),
            other => Err(RowFault::wrong_type(column, &other, "a list of true and false")),
        };
        self.list_if_any(column)?.map(|values| values.into_iter().map(flag).collect()).transpose()
    }

    /// The text, number or truth value of an optional column (id, grade, answer) as trimmed text; `None` if there is
    /// none or the text is empty.
    pub(super) fn word(&mut self, column: &str) -> Option<String> {
        let word = match self.columns.get(column)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            // Other values stay in their column, unread.
            other => spelled::of_number(other)?.to_owned(),
        };
        self.take(column);
        (!word.is_empty()).then_some(word)
    }

    /// Puts the content of a column back, because nothing of it was used.
    pub(super) fn put_back(&mut self, column: &str, content: String) {
        if let Some(place) = self.columns.get_mut(column) {
            *place = Value::String(content);
        }
    }

    /// Moves the content of a column out, which avoids a copy of long texts.
    fn take(&mut self, column: &str) -> Value {
        self.columns.get_mut(column).map(Value::take).unwrap_or_default()
    }
}

/// The text in `value`, a part of `column`; empty if null. `expected` names the required type in the error.
pub(super) fn text(column: &str, value: Value, expected: &'static str) -> Result<String, RowFault> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        other => Err(RowFault::wrong_type(column, &other, expected)),
    }
}
