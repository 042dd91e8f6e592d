//! JSONL files of [`Record`]s: reading, checking, writing.
//!
//! A byte-order mark, CRLF line ends and blank lines are accepted. Files are read line by line with a limit on
//! the line length, so that memory stays bounded for a binary file.
//!
//! ```
//! use ssft_data::dataset::{Limits, parse_records};
//!
//! let line = r#"{"id":"q1","question":"12+35=","traces":[{"source":"lsb","text":"2+5=7;1+3=4 #### 47"}],"answer":"47"}"#;
//! let records = parse_records("train.jsonl", line.as_bytes(), &Limits::default())?;
//! assert_eq!(records[0].traces[0].source, "lsb");
//!
//! let error = parse_records("train.jsonl", b"{}", &Limits::default()).unwrap_err();
//! assert!(error.to_string().starts_with("train.jsonl:1: missing field \"id\""));
//! # Ok::<(), ssft_data::error::DataError>(())
//! ```

mod keys;

use crate::error::{DataError, LineFault};
use crate::json;
use crate::lines::{Lines, is_object, json_reason};
use crate::note::{Note, Notes, Part, Remark};
use crate::record::{Message, Record, Trace};
use crate::words::{one_line, quote};
use crate::writer::RecordWriter;
use keys::{UnusedKey, unused_keys};
use serde_json::error::Category;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

/// Bounds on the reading of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest accepted line in bytes, without the line end.
    pub line_bytes: usize,
    /// Number of problems after which [`check_records`] stops; 0 counts as 1.
    pub problems: usize,
}

impl Default for Limits {
    /// 16 MiB a line, 20 problems.
    fn default() -> Self {
        Self { line_bytes: 16 << 20, problems: 20 }
    }
}

/// Result of checking a file: the valid records, notes on them, and the problems of the other lines.
#[derive(Debug, Default)]
pub struct Checked {
    /// Valid records, in file order.
    pub records: Vec<Record>,
    /// Notes on the valid records: keys of messages that no prompt has. Those that depend on the template come from
    /// [`Encoder::left_out`](crate::encode::Encoder::left_out).
    pub notes: Notes,
    /// Problems in file order, at most [`Limits::problems`].
    pub problems: Vec<DataError>,
}

impl Checked {
    /// The records of a file without problems.
    ///
    /// # Errors
    /// The first problem, if there is one.
    pub fn into_records(self) -> Result<Vec<Record>, DataError> {
        match self.problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(self.records),
        }
    }
}

/// Reads the records of the file at `path`.
///
/// # Errors
/// The first problem: the file is missing, unreadable or without records, or a line is invalid.
pub fn read_records(path: &Path, limits: &Limits) -> Result<Vec<Record>, DataError> {
    check_file(path, &Limits { problems: 1, ..*limits }).into_records()
}

/// Reads records from `bytes`, the content of a file; `name` is the file name in errors. Uses no file system.
///
/// # Errors
/// As [`read_records`].
pub fn parse_records(name: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<Record>, DataError> {
    check_records(name, bytes, &Limits { problems: 1, ..*limits }).into_records()
}

/// Checks the file at `path` and collects up to [`Limits::problems`] problems.
pub fn check_file(path: &Path, limits: &Limits) -> Checked {
    let name = path.display().to_string();
    match File::open(path) {
        Ok(file) => check_records(&name, BufReader::new(file), limits),
        Err(error) => Checked { problems: vec![DataError::reading(name, &error)], ..Checked::default() },
    }
}

/// Checks the lines of `input` and collects up to [`Limits::problems`] problems; `name` is the file name in errors.
pub fn check_records(name: &str, input: impl BufRead, limits: &Limits) -> Checked {
    let checked = Checked { notes: Notes::of_file(name), ..Checked::default() };
    let mut reader = RecordReader { name, limits, checked };
    if let Err(error) = reader.read(input) {
        reader.checked.problems.push(DataError::reading(name.to_owned(), &error));
    }
    let mut checked = reader.checked;
    if checked.records.is_empty() && checked.problems.is_empty() {
        checked.problems.push(DataError::NoRecords { file: name.to_owned() });
    }
    checked
}

/// Writes `records` to `path` in one step (see [`crate::whole_file::WholeFile`]): `path` never holds a partial file.
///
/// # Errors
/// [`DataError::Write`] if the operating system reports an error; the temporary file is removed.
pub fn write_records(path: &Path, records: &[Record]) -> Result<(), DataError> {
    let mut writer = RecordWriter::create(path)?;
    for record in records {
        writer.write(record)?;
    }
    writer.finish()
}

/// One problem for each record that has more traces than `forks`.
pub fn fork_problems(records: &[Record], forks: usize) -> impl Iterator<Item = DataError> + '_ {
    records.iter().filter(move |record| record.traces.len() > forks).map(move |record| {
        DataError::TooManyTraces { id: quote(&record.id), traces: record.traces.len(), forks }
    })
}

/// Checks M <= N for every record: an injective assignment of traces to forks must exist.
///
/// # Errors
/// [`DataError::TooManyTraces`] for the first record that has more traces than `forks`.
pub fn check_forks(records: &[Record], forks: usize) -> Result<(), DataError> {
    fork_problems(records, forks).next().map_or(Ok(()), Err)
}

struct RecordReader<'a> {
    name: &'a str,
    limits: &'a Limits,
    checked: Checked,
}

impl RecordReader<'_> {
    fn read(&mut self, input: impl BufRead) -> io::Result<()> {
        let mut lines = Lines::new(input, self.limits.line_bytes);
        while self.checked.problems.len() < self.limits.problems.max(1) {
            let Some(line) = lines.next_line()? else { break };
            match line.text.and_then(parse_line) {
                Ok(Some((record, keys))) => self.take_record(line.number, record, keys),
                Ok(None) => {}
                Err(fault) => self.report(line.number, fault),
            }
        }
        Ok(())
    }

    fn take_record(&mut self, line: usize, record: Record, keys: Vec<UnusedKey>) {
        let mut faults = record_faults(&record);
        match self.checked.notes.line_of(&record.id) {
            _ if record.id.is_empty() => {}
            Some(first) => faults.insert(0, LineFault::DuplicateId { id: quote(&record.id), first }),
            None => self.checked.notes.set_line(&record.id, line),
        }
        if faults.is_empty() {
            let note = |UnusedKey { message, key }: UnusedKey| Note {
                id: record.id.clone(),
                part: Part::Message(message),
                remark: Remark::Key { key },
            };
            self.checked.notes.extend(keys.into_iter().map(note));
            self.checked.records.push(record);
        }
        for fault in faults {
            self.report(line, fault);
        }
    }

    fn report(&mut self, line: usize, fault: LineFault) {
        if self.checked.problems.len() < self.limits.problems.max(1) {
            self.checked.problems.push(DataError::Line { file: self.name.to_owned(), line, fault });
        }
    }
}

/// The record of a line and the keys of its messages that are not used; `None` for a blank line.
fn parse_line(text: &str) -> Result<Option<(Record, Vec<UnusedKey>)>, LineFault> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let record: Record = match serde_json::from_str(text) {
        // serde's derived implementation also accepts an array of the fields, which is not a documented form.
        Ok(_) if !is_object(text) => return Err(LineFault::NotObject),
        Ok(record) => record,
        Err(error) => return parse_python(text).map(Some).ok_or_else(|| json_fault(text, &error)),
    };
    let keys = if record.messages.is_some() { unused_keys(text) } else { Ok(Vec::new()) };
    Ok(Some((record, keys.map_err(|error| json_fault(text, &error))?)))
}

/// As [`parse_line`], for a line with a value that Python writes and JSON does not have; `None` unless that value is not used.
fn parse_python(text: &str) -> Option<(Record, Vec<UnusedKey>)> {
    let text = json::marked(text)?;
    let record: Record = serde_json::from_str(&text).ok().filter(|_| is_object(&text))?;
    match first_mark(&record) {
        Some(_) => None,
        None => Some((record, unused_keys(&text).ok()?)),
    }
}

/// Place and spelling of the first value of a record that JSON does not have.
fn first_mark(record: &Record) -> Option<(String, String)> {
    json::first_mark(&serde_json::to_value(record).ok()?)
}

fn json_fault(text: &str, error: &serde_json::Error) -> LineFault {
    // Values that JSON does not have may be in keys that no record has; the fault is what is wrong without them.
    let marked = json::marked(text).filter(|marked| marked != text);
    let without = marked.as_deref().map(serde_json::from_str::<Record>);
    match (marked.as_deref(), without) {
        (Some(_), Some(Ok(record))) => match first_mark(&record) {
            Some((key, found)) => LineFault::NoValue { key: one_line(&key), found },
            None => fault(text, error),
        },
        (Some(marked), Some(Err(other))) => fault(marked, &other),
        _ => fault(text, error),
    }
}

/// The fault of a line whose parser reports `error`.
fn fault(text: &str, error: &serde_json::Error) -> LineFault {
    let reason = json_reason(error);
    match error.classify() {
        Category::Data if !is_object(text) => LineFault::NotObject,
        Category::Data => LineFault::Field { reason },
        _ => LineFault::NotJson { column: error.column(), reason },
    }
}

/// All faults within one record.
fn record_faults(record: &Record) -> Vec<LineFault> {
    let id = || quote(&record.id);
    let mut faults = Vec::new();
    if record.id.is_empty() {
        faults.push(LineFault::EmptyId);
    }
    match (&record.question, &record.messages) {
        (Some(_), Some(_)) => faults.push(LineFault::TwoQuestions { id: id() }),
        (None, None) => faults.push(LineFault::NoQuestion { id: id() }),
        (Some(question), None) if question.trim().is_empty() => {
            faults.push(LineFault::EmptyQuestion { id: id() });
        }
        (Some(_), None) => {}
        (None, Some(messages)) => faults.extend(message_faults(&id(), messages)),
    }
    faults.extend(trace_faults(&id(), &record.traces));
    faults
}

fn message_faults(id: &str, messages: &[Message]) -> Vec<LineFault> {
    let id = || id.to_owned();
    let Some(last) = messages.last() else { return vec![LineFault::EmptyMessages { id: id() }] };
    let fault = |(index, message): (usize, &Message)| match message.role.as_str() {
        // An empty system message is one of its own: it replaces the default of templates that have one.
        "system" => None,
        "user" | "assistant" => {
            let is_empty = message.content.trim().is_empty();
            is_empty.then(|| LineFault::EmptyMessage { id: id(), message: index + 1 })
        }
        role => Some(LineFault::UnknownRole { id: id(), message: index + 1, role: quote(role) }),
    };
    let mut faults: Vec<LineFault> = messages.iter().enumerate().filter_map(fault).collect();
    let is_known = |message: &Message| matches!(message.role.as_str(), "system" | "assistant");
    if messages.iter().all(is_known) {
        faults.push(LineFault::NoUser { id: id() });
    } else if last.role == "assistant" {
        faults.push(LineFault::EndsWithAnswer { id: id(), message: messages.len() });
    }
    faults
}

fn trace_faults(id: &str, traces: &[Trace]) -> Vec<LineFault> {
    if traces.is_empty() {
        return vec![LineFault::NoTraces { id: id.to_owned() }];
    }
    let faulty = traces.iter().enumerate().filter(|(_, trace)| trace.text.trim().is_empty());
    let fault = |(index, trace): (usize, &Trace)| LineFault::EmptyTrace {
        id: id.to_owned(),
        trace: index + 1,
        source_name: quote(&trace.source),
    };
    faulty.map(fault).collect()
}

#[cfg(test)]
mod tests;
