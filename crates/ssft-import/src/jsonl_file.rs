//! Rows of a JSONL file.

use crate::error::{ImportError, RowFault};
use crate::row::Columns;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;
use serde_json::error::Category;
use ssft_data::anything::Anything;
use ssft_data::error::{DataError, LineFault};
use ssft_data::lines::{Lines, is_object, json_reason};
use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::Path;

/// What becomes of a column that is not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// It is left out.
    Skipped,
    /// It is `true` if it holds anything, else left out.
    Marked,
}

/// Calls `each` with the line number and the wanted columns of every row of the file at `path`, until it returns
/// [`ControlFlow::Break`].
pub(super) fn each_row(
    path: &Path,
    line_bytes: usize,
    wants: &dyn Fn(&str) -> bool,
    unwanted: Unwanted,
    each: &mut dyn FnMut(usize, Columns) -> Result<ControlFlow<()>, ImportError>,
) -> Result<(), ImportError> {
    let name = path.display().to_string();
    let reading = |error| DataError::reading(name.clone(), &error);
    let mut input = BufReader::new(File::open(path).map_err(reading)?);
    refuse_array(&name, input.fill_buf().map_err(reading)?)?;
    let mut lines = Lines::new(input, line_bytes);
    while let Some(line) = lines.next_line().map_err(reading)? {
        let columns = line.text.map_err(RowFault::Line).and_then(|text| columns(text, wants, unwanted));
        let faulty = |fault| ImportError::Row { place: format!("{name}:{}", line.number), fault };
        let Some(columns) = columns.map_err(faulty)? else { continue };
        if each(line.number, columns)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Refuses a file that starts as a JSON array, which is usually a single line beyond the line limit.
fn refuse_array(name: &str, start: &[u8]) -> Result<(), ImportError> {
    let start = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    if start.trim_ascii_start().first() != Some(&b'[') {
        return Ok(());
    }
    Err(ImportError::File {
        file: name.to_owned(),
        reason: "one JSON array, which cannot be read row by row".to_owned(),
        remedy: "write one object on each line, for example with `jq -c '.[]'`".to_owned(),
    })
}

/// The wanted columns of a line; `None` for a blank line.
fn columns(
    text: &str,
    wants: &dyn Fn(&str) -> bool,
    unwanted: Unwanted,
) -> Result<Option<Columns>, RowFault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let columns =
        Wanted(wants, unwanted).deserialize(&mut parser).and_then(|columns| parser.end().map(|()| columns));
    columns.map(Some).map_err(|error| match error.classify() {
        Category::Data if !is_object(text) => RowFault::NotObject,
        _ => RowFault::Line(LineFault::NotJson { column: error.column(), reason: json_reason(&error) }),
    })
}

/// Deserializer of an object that does not copy unwanted entries.
struct Wanted<'a>(&'a dyn Fn(&str) -> bool, Unwanted);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Columns;

    fn deserialize<D: Deserializer<'de>>(self, parser: D) -> Result<Columns, D::Error> {
        parser.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Columns;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Columns, A::Error> {
        let mut columns = Columns::new();
        while let Some(name) = entries.next_key::<String>()? {
            if !(self.0)(&name) {
                match self.1 {
                    Unwanted::Skipped => drop(entries.next_value::<IgnoredAny>()?),
                    Unwanted::Marked => {
                        if let Anything(true) = entries.next_value()? {
                            columns.insert(name, Value::Bool(true));
                        }
                    }
                }
            } else if columns.contains_key(&name) {
                return Err(A::Error::custom(format_args!("the column {name:?} twice")));
            } else {
                columns.insert(name, entries.next_value()?);
            }
        }
        Ok(columns)
    }
}
