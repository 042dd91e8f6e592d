//! Imports by hand: the same rows as JSONL and as Parquet.

mod chats;
mod damage;
mod files;
mod grouping;
mod layouts;
mod parquet_rows;
mod python;

use crate::*;
use serde_json::Value;
use ssft_data::dataset::{Limits, read_records};
use ssft_data::record::Record;
use std::fs;
use std::slice;
use tempfile::TempDir;

/// A folder with files to import.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes `rows`, one a line, to a file `name`.
    fn jsonl(&self, name: &str, rows: &[Value]) -> PathBuf {
        let lines: String = rows.iter().map(|row| format!("{row}\n")).collect();
        self.text(name, &lines)
    }

    fn text(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Imports `inputs` and reads the output, which must be a valid data file.
    fn import(&self, inputs: &[PathBuf], settings: &ImportSettings) -> (Counts, Vec<Record>) {
        let output = self.path("out.jsonl");
        let counts = import(inputs, &output, settings, &mut |_| {}).unwrap();
        let records = read_records(&output, &Limits::default()).unwrap();
        assert_eq!(counts.questions, records.len());
        assert_eq!(counts.traces, records.iter().map(|record| record.traces.len()).sum::<usize>());
        (counts, records)
    }

    /// The message of a failing import, without the folder's name. Checks that only the inputs are left.
    fn refusal(&self, inputs: &[PathBuf], settings: &ImportSettings) -> String {
        let count = || fs::read_dir(self.0.path()).unwrap().count();
        let before = count();
        let error = import(inputs, &self.path("out.jsonl"), settings, &mut |_| {}).unwrap_err().to_string();
        assert_eq!(count(), before, "nothing is left behind");
        assert!(!error.contains('\n'), "{error}");
        error.replace(&format!("{}/", self.0.path().display()), "")
    }
}

/// `source: text` of each trace.
fn traces(record: &Record) -> Vec<String> {
    record.traces.iter().map(|trace| format!("{}: {}", trace.source, trace.text)).collect()
}
