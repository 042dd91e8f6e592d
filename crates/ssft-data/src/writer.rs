//! Writing JSONL files record by record.

use crate::error::DataError;
use crate::record::Record;
use crate::whole_file::WholeFile;
use crate::words::one_line;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writer of a JSONL file, one [`Record`] per line, into a [`WholeFile`].
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    file: WholeFile,
}

impl RecordWriter {
    /// Opens a temporary file that [`finish`](Self::finish) renames to `path`.
    ///
    /// # Errors
    /// [`DataError::Write`] if the operating system reports an error.
    pub fn create(path: &Path) -> Result<Self, DataError> {
        let file = WholeFile::create(path).map_err(|error| refused(path, &error))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a record.
    ///
    /// # Errors
    /// [`DataError::Write`] if the operating system reports an error.
    pub fn write(&mut self, record: &Record) -> Result<(), DataError> {
        write_line(&mut self.file, record).map_err(|error| refused(&self.path, &error))
    }

    /// Moves the file to its path.
    ///
    /// # Errors
    /// [`DataError::Write`] if the operating system reports an error; the temporary file is removed.
    pub fn finish(self) -> Result<(), DataError> {
        self.file.finish().map_err(|error| refused(&self.path, &error))
    }
}

fn write_line(file: &mut WholeFile, record: &Record) -> io::Result<()> {
    serde_json::to_writer(&mut *file, record)?;
    file.write_all(b"\n")
}

fn refused(path: &Path, error: &io::Error) -> DataError {
    DataError::Write { path: path.display().to_string(), reason: one_line(&error.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Trace;

    #[test]
    fn a_record_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("d.jsonl");
        let mut writer = RecordWriter::create(&path).unwrap();
        for id in ["a", "b"] {
            let trace = Trace { source: "a".to_owned(), text: "2".to_owned() };
            let question = Some("1+1=".to_owned());
            let record =
                Record { id: id.to_owned(), question, messages: None, traces: vec![trace], answer: None };
            writer.write(&record).unwrap();
        }
        writer.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let line =
            |id| format!(r#"{{"id":"{id}","question":"1+1=","traces":[{{"source":"a","text":"2"}}]}}"#);
        assert_eq!(text, format!("{}\n{}\n", line("a"), line("b")));
    }
}
