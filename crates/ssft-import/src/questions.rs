//! Grouping of rows by question: one record per question, complete with its last row.

use crate::counts::{Counts, QuestionDrop, TraceDrop};
use crate::ids::{Ids, RowId};
use crate::reading::{Candidate, Prompt, Reading};
use crate::settings::ImportSettings;
use serde::Serialize;
use ssft_data::record::{Record, Trace};
use std::collections::HashMap;
use std::io::{self, Write};
use std::mem;

/// The questions of an import. Pass 1 counts the rows of each, so that pass 2 keeps a question in memory only from its
/// first row to its last.
#[derive(Debug)]
pub(super) struct Questions<'a> {
    settings: &'a ImportSettings,
    /// Number of rows still to come, by [`Prompt::key`].
    to_come: HashMap<u128, usize>,
    open: HashMap<u128, Open>,
    ids: Ids,
    /// Counts of the rows so far.
    pub(super) counts: Counts,
}

/// A row that pass 1 did not count, since the file has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Uncounted;

/// A question with rows still to come.
#[derive(Debug)]
struct Open {
    id: RowId,
    prompt: Prompt,
    traces: Vec<Trace>,
    answer: Option<String>,
}

impl<'a> Questions<'a> {
    /// An empty set of questions.
    pub(super) fn new(settings: &'a ImportSettings) -> Self {
        let (to_come, open, ids, counts) = Default::default();
        Self { settings, to_come, open, ids, counts }
    }

    /// Counts a row, in pass 1.
    pub(super) fn expect(&mut self, prompt: &Prompt) {
        *self.to_come.entry(prompt.key()).or_default() += 1;
    }

    /// Adds a row, in pass 2. Returns the record of its question if this is the last row and the question is kept.
    pub(super) fn take(&mut self, id: RowId, reading: Reading) -> Result<Option<Record>, Uncounted> {
        let key = reading.prompt.key();
        let to_come = self.to_come.get_mut(&key).ok_or(Uncounted)?;
        *to_come -= 1;
        let is_last = *to_come == 0;
        let mut open = match self.open.remove(&key) {
            Some(open) => {
                self.counts.merged_rows += 1;
                open
            }
            None => Open { id, prompt: reading.prompt, traces: Vec::new(), answer: None },
        };
        match (&open.answer, reading.answer) {
            (None, answer) => open.answer = answer,
            (Some(first), Some(other)) if *first != other => self.counts.unread.other_answers += 1,
            (Some(_), _) => {}
        }
        for candidate in reading.traces {
            self.add(&mut open.traces, candidate);
        }
        if is_last {
            self.to_come.remove(&key);
            return Ok(self.close(open));
        }
        self.open.insert(key, open);
        Ok(None)
    }

    /// Whether all counted rows have been added.
    pub(super) fn is_done(&self) -> bool {
        self.to_come.is_empty()
    }

    /// The number of questions in memory.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.open.len()
    }

    fn add(&mut self, traces: &mut Vec<Trace>, candidate: Candidate) {
        let is_beyond = self.settings.max_traces.is_some_and(|most| traces.len() >= most);
        match candidate.text(&self.settings.thoughts) {
            Err(reason) => self.counts.drop_trace(reason),
            Ok(text) if traces.iter().any(|trace| trace.text == text) => {
                self.counts.drop_trace(TraceDrop::Twice);
            }
            Ok(_) if is_beyond => self.counts.drop_trace(TraceDrop::BeyondLimit),
            Ok(text) => {
                let source = candidate.source.unwrap_or_else(|| format!("trace-{}", traces.len() + 1));
                traces.push(Trace { source, text });
            }
        }
    }

    /// The record of a complete question; `None` if it is dropped.
    fn close(&mut self, open: Open) -> Option<Record> {
        let (question, messages) = match open.prompt {
            Prompt::Question(text) => (Some(text), None),
            Prompt::Messages(messages) => (None, Some(messages)),
        };
        let mut record =
            Record { id: open.id.longest(), question, messages, traces: open.traces, answer: open.answer };
        for _ in 0..shorten(&mut record, self.settings.limits.line_bytes) {
            self.counts.drop_trace(TraceDrop::LineFull);
        }
        let traces = record.traces.len();
        if traces < self.settings.min_traces.max(1) {
            (0..traces).for_each(|_| self.counts.drop_trace(TraceDrop::QuestionDropped));
            let none = traces == 0;
            self.counts.drop_question(if none { QuestionDrop::NoTrace } else { QuestionDrop::TooFewTraces });
            return None;
        }
        self.counts.questions += 1;
        self.counts.traces += traces;
        let own = open.id.own.clone();
        record.id = self.ids.give(open.id);
        self.counts.unread.taken_ids += usize::from(own.is_some_and(|own| own != record.id));
        Some(record)
    }
}

/// Removes the last traces of a record, so that its line has at most `most` bytes and can be read again. Returns the
/// number of removed traces.
fn shorten(record: &mut Record, most: usize) -> usize {
    let before = record.traces.len();
    let traces = mem::take(&mut record.traces);
    let mut length = json_length(record);
    for trace in traces {
        // The trace and a comma.
        length = length.saturating_add(json_length(&trace)).saturating_add(1);
        if length > most {
            break;
        }
        record.traces.push(trace);
    }
    before - record.traces.len()
}

/// Length of `value` as JSON in bytes; `usize::MAX` if it cannot be serialized.
fn json_length(value: &impl Serialize) -> usize {
    let mut length = Length(0);
    serde_json::to_writer(&mut length, value).map_or(usize::MAX, |()| length.0)
}

/// A writer that counts bytes.
struct Length(usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
