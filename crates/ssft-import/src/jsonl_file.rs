//! Rows of a JSONL file.

use crate::error::{ImportError, RowFault};
use crate::row::Columns;
use crate::spelled::{self, Line};
use crate::strict::Strict;
use serde::de::IgnoredAny;
use serde_json::Value;
use ssft_data::anything::Anything;
use ssft_data::error::{DataError, LineFault};
use ssft_data::json::{self, members};
use ssft_data::lines::{Lines, is_object, json_reason};
use std::borrow::Cow;
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
    /// It is `true`, whatever it holds.
    Named,
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
    let text = valid(text)?;
    let line = if matches!(text, Cow::Owned(_)) { Line::Marked } else { Line::AsWritten };
    if !is_object(&text) {
        return Err(RowFault::NotObject);
    }
    let mut columns = Columns::new();
    for (name, value) in members(&text) {
        let name = json::name(name);
        if !wants(&name) {
            // A value that cannot be read holds something.
            let holds = || serde_json::from_str(value).map_or(true, |Anything(held)| held);
            if unwanted == Unwanted::Named || unwanted == Unwanted::Marked && holds() {
                columns.insert(name, Value::Bool(true));
            }
        } else if columns.contains_key(&name) {
            return Err(not_json(&text));
        } else {
            columns.insert(name, spelled::value(value, line).ok_or_else(|| not_json(&text))?);
        }
    }
    Ok(Some(columns))
}

/// The line as valid JSON; what Python writes and JSON does not have becomes a marked text.
fn valid(line: &str) -> Result<Cow<'_, str>, RowFault> {
    let is_valid = |text: &str| serde_json::from_str::<IgnoredAny>(text).is_ok();
    if is_valid(line) {
        return Ok(Cow::Borrowed(line));
    }
    json::marked(line).filter(|text| is_valid(text)).map(Cow::Owned).ok_or_else(|| not_json(line))
}

/// The fault of a line that is no JSON, or that has an object with a key twice.
fn not_json(line: &str) -> RowFault {
    let error = serde_json::from_str::<Strict>(line).err();
    let (column, reason) =
        error.map_or((1, "no JSON".to_owned()), |error| (error.column(), json_reason(&error)));
    RowFault::Line(LineFault::NotJson { column, reason })
}
