//! `metrics.jsonl`: one JSON object a step, appended while the run trains.

use serde_json::Value;
use ssft_train::StepReport;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The file of a run, open for appending.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
}

impl Metrics {
    /// Opens the file at `path` to continue after step `done`. Lines of later steps, which a killed run can leave, are
    /// removed; the other lines keep every byte.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub fn open(path: &Path, done: usize) -> io::Result<Self> {
        let kept: Vec<String> = read_lines(path)?
            .into_iter()
            .filter(|line| step_of(line).is_some_and(|step| step <= done))
            .collect();
        let file = rewrite(path, &kept)?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends one step.
    ///
    /// # Errors
    /// [`io::Error`] of the file system.
    pub fn append(&mut self, report: &StepReport) -> io::Result<()> {
        let line = serde_json::to_string(report)?;
        // One write: a kill leaves a line whole or not at all.
        self.file.write_all(format!("{line}\n").as_bytes())
    }

    /// Adds `key` to the line of the last step; the other values of the line keep every bit.
    ///
    /// # Errors
    /// [`io::Error`] of the file system; the line is then unchanged.
    pub fn amend(&mut self, key: &str, value: Value) -> io::Result<()> {
        let mut lines = read_lines(&self.path)?;
        if let Some(last) = lines.last_mut() {
            let mut line: Value = serde_json::from_str(last)?;
            line[key] = value;
            *last = line.to_string();
        }
        self.file = rewrite(&self.path, &lines)?;
        Ok(())
    }
}

/// Replaces the file at `path`, whole or not at all, and opens it for appending.
fn rewrite(path: &Path, lines: &[String]) -> io::Result<File> {
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    super::files::publish_file(path, text.as_bytes())?;
    OpenOptions::new().append(true).open(path)
}

/// Every step of a `metrics.jsonl`, oldest first; a last line that was cut off is skipped.
///
/// # Errors
/// [`io::Error`] of the file system.
pub fn read(path: &Path) -> io::Result<Vec<Value>> {
    Ok(read_lines(path)?.iter().filter_map(|line| serde_json::from_str(line).ok()).collect())
}

fn read_lines(path: &Path) -> io::Result<Vec<String>> {
    match File::open(path) {
        Ok(mut file) => {
            // A full disk can cut a line off inside a character; only that line is skipped.
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn step_of(line: &str) -> Option<usize> {
    let value: Value = serde_json::from_str(line).ok()?;
    value["step"].as_u64().map(|step| step as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resuming_drops_later_steps_and_a_line_that_was_cut_off() {
        let home = tempfile::tempdir().expect("temporary directory");
        let path = home.path().join("metrics.jsonl");
        std::fs::write(&path, "{\"step\":1}\n{\"step\":2}\n{\"step\":3}\n{\"st").expect("write");
        Metrics::open(&path, 2).expect("open");
        assert_eq!(std::fs::read_to_string(&path).expect("read"), "{\"step\":1}\n{\"step\":2}\n");
    }

    /// serde_json without `float_roundtrip` once turned the first number into 3.9595799446105957.
    #[test]
    fn amending_a_line_keeps_the_bits_of_its_numbers() {
        let home = tempfile::tempdir().expect("temporary directory");
        let path = home.path().join("metrics.jsonl");
        let line = r#"{"step":1,"loss":3.959579944610596,"lr":0.1,"grad_norm":1e-7}"#;
        std::fs::write(&path, format!("{line}\n")).expect("write");
        let mut metrics = Metrics::open(&path, 1).expect("open");
        metrics.amend("eval", Value::from(0.3)).expect("amend");
        let expected = format!("{},\"eval\":0.3}}\n", line.trim_end_matches('}'));
        assert_eq!(std::fs::read_to_string(&path).expect("read"), expected);
    }
}
