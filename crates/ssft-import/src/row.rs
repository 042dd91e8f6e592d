//! One row of a dataset, whatever file it comes from.

use crate::error::RowFault;
use serde_json::{Map, Value};

/// The columns of a row by name, in the order of the file.
pub(super) type Columns = Map<String, Value>;

/// A row whose columns are taken out one by one.
#[derive(Debug, Clone)]
pub(super) struct Row {
    columns: Columns,
    layout: &'static str,
}

impl Row {
    /// The row `columns` of a file in the layout of that name.
    pub(super) fn new(columns: Columns, layout: &'static str) -> Self {
        Self { columns, layout }
    }

    /// Whether there is such a column, even if it holds nothing.
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Whether there is such a column, and something in it.
    pub(super) fn holds(&self, column: &str) -> bool {
        self.columns.get(column).is_some_and(|value| !value.is_null())
    }

    /// The names of the columns in the order of the file.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// The fault of a row without `column`.
    pub(super) fn lacks(&self, column: &str) -> RowFault {
        RowFault::NoColumn { column: column.to_owned(), layout: self.layout }
    }

    /// The text of a column that must be there; empty if it holds nothing.
    pub(super) fn text(&mut self, column: &str) -> Result<String, RowFault> {
        if self.has(column) { self.text_if_any(column) } else { Err(self.lacks(column)) }
    }

    /// The text of a column; empty if it is not there or holds nothing.
    pub(super) fn text_if_any(&mut self, column: &str) -> Result<String, RowFault> {
        text(column, self.take(column), "text")
    }

    /// What a column that must be there lists; nothing listed if it holds nothing.
    pub(super) fn list(&mut self, column: &str) -> Result<Vec<Value>, RowFault> {
        if !self.has(column) {
            return Err(self.lacks(column));
        }
        Ok(self.list_if_any(column)?.unwrap_or_default())
    }

    /// What a column lists, if it is there and holds anything.
    pub(super) fn list_if_any(&mut self, column: &str) -> Result<Option<Vec<Value>>, RowFault> {
        match self.take(column) {
            Value::Null => Ok(None),
            Value::Array(values) => Ok(Some(values)),
            other => Err(RowFault::wrong_type(column, &other, "a list")),
        }
    }

    /// The texts that a column lists, an empty one in the place of nothing.
    pub(super) fn texts(&mut self, column: &str) -> Result<Vec<String>, RowFault> {
        let values = self.list(column)?;
        values.into_iter().map(|value| text(column, value, "a list of texts")).collect()
    }

    /// The truth values that a column lists, if it is there and holds anything.
    pub(super) fn flags(&mut self, column: &str) -> Result<Option<Vec<Option<bool>>>, RowFault> {
        let flag = |value| match value {
            Value::Null => Ok(None),
            Value::Bool(flag) => Ok(Some(flag)),
            other => Err(RowFault::wrong_type(column, &other, "a list of true and false")),
        };
        self.list_if_any(column)?.map(|values| values.into_iter().map(flag).collect()).transpose()
    }

    /// The text, number or truth value of a column that may also be there in vain: an id, a grade, an answer.
    pub(super) fn word(&mut self, column: &str) -> Option<String> {
        let word = match self.take(column) {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Bool(flag) => flag.to_string(),
            _ => String::new(),
        };
        (!word.is_empty()).then_some(word)
    }

    /// Takes the content out, which for a long text is cheaper than a copy.
    fn take(&mut self, column: &str) -> Value {
        self.columns.get_mut(column).map(Value::take).unwrap_or_default()
    }
}

/// The text in `value`, part of `column`, which is to hold what `expected` says.
pub(super) fn text(column: &str, value: Value, expected: &'static str) -> Result<String, RowFault> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        other => Err(RowFault::wrong_type(column, &other, expected)),
    }
}
