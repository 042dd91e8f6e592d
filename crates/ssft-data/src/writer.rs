//! JSONL files of [`Record`]s, written record by record and yet whole or not at all.

use crate::error::{DataError, one_line};
use crate::record::Record;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Writes records under a temporary name in the folder of the file to come. [`finish`](Self::finish) syncs and
/// renames; a writer that is dropped before leaves nothing behind, and what was at the path stays. A link is followed, and
/// a device or a pipe, which nothing could stand in for, is written to as it is.
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    /// Nothing for a device or a pipe.
    temporary: Option<PathBuf>,
    /// Nothing once the file is closed.
    output: Option<BufWriter<File>>,
}

impl RecordWriter {
    /// Starts a file that is to be at `path`.
    ///
    /// # Errors
    /// [`DataError::Write`] if the system refuses.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let replaceable = !path.exists() || path.is_file() || path.is_dir();
        let temporary = replaceable.then(|| temporary_name(path));
        let file = match &temporary {
            Some(temporary) => File::create(temporary),
            None => File::options().write(true).open(path),
        };
        let output = Some(BufWriter::new(file.map_err(|error| refused(path, &error))?));
        Ok(Self { path: path.to_owned(), temporary, output })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`DataError::Write`] if the system refuses.
    pub fn write(&mut self, record: &Record) -> Result<(), DataError> {
        let Some(output) = &mut self.output else { return Ok(()) };
        write_line(output, record).map_err(|error| refused(&self.path, &error))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`] if the system refuses; the temporary file is removed.
    pub fn finish(mut self) -> Result<(), DataError> {
        let Some(output) = self.output.take() else { return Ok(()) };
        let placed = match &self.temporary {
            Some(temporary) => sync(output).and_then(|()| fs::rename(temporary, &self.path)),
            // A pipe cannot be synced.
            None => output.into_inner().map(drop).map_err(io::IntoInnerError::into_error),
        };
        placed.map_err(|error| {
            self.remove();
            refused(&self.path, &error)
        })
    }

    fn remove(&self) {
        // What went wrong before is the one worth telling; that the leftover cannot be removed either follows.
        if let Some(temporary) = &self.temporary {
            let _ = fs::remove_file(temporary);
        }
    }
}

impl Drop for RecordWriter {
    fn drop(&mut self) {
        if let Some(output) = self.output.take() {
            // Without writing the rest, and closed first: Windows does not remove an open file.
            drop(output.into_parts());
            self.remove();
        }
    }
}

fn write_line(output: &mut impl Write, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *output, record)?;
    output.write_all(b"\n")
}

fn sync(output: BufWriter<File>) -> io::Result<()> {
    output.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
}

fn refused(path: &Path, error: &io::Error) -> DataError {
    DataError::Write { path: path.display().to_string(), reason: one_line(&error.to_string()) }
}

/// A name beside `path` that no other running process uses.
fn temporary_name(path: &Path) -> PathBuf {
    // The browser has no process number (asking for it panics) and no files either.
    let process = if cfg!(target_family = "wasm") { 0 } else { std::process::id() };
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{process}.tmp"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Trace;

    fn record(id: &str) -> Record {
        let trace = Trace { source: "a".to_owned(), text: "2".to_owned() };
        let question = Some("1+1=".to_owned());
        Record { id: id.to_owned(), question, messages: None, traces: vec![trace], answer: None }
    }

    #[test]
    fn a_dropped_writer_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        fs::write(&path, "old").unwrap();
        let mut writer = RecordWriter::create(&path).unwrap();
        writer.write(&record("a")).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the temporary file is there");
        drop(writer);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    /// `data import --out LINK` made a file of the link.
    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_a_pipe_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target.jsonl"), folder.path().join("link.jsonl"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let mut writer = RecordWriter::create(&link).unwrap();
        writer.write(&record("a")).unwrap();
        writer.finish().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert!(fs::read_to_string(&target).unwrap().starts_with(r#"{"id":"a""#));
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        let mut writer = RecordWriter::create(&pipe).unwrap();
        writer.write(&record("b")).unwrap();
        writer.finish().unwrap();
        assert!(reader.join().unwrap().starts_with(r#"{"id":"b""#));
        assert!(!pipe.is_file());
    }

    #[test]
    fn nothing_is_at_the_path_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let mut writer = RecordWriter::create(&path).unwrap();
        writer.write(&record("a")).unwrap();
        writer.write(&record("b")).unwrap();
        assert!(!path.exists());
        writer.finish().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let line =
            |id| format!(r#"{{"id":"{id}","question":"1+1=","traces":[{{"source":"a","text":"2"}}]}}"#);
        assert_eq!(text, format!("{}\n{}\n", line("a"), line("b")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
