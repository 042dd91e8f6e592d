//! Import of published reasoning datasets (JSONL, Parquet) as [`Record`](ssft_data::record::Record)s.
//!
//! ```text
//! pass 1: file -> Row (question columns only) -> Prompt -> number of rows per question
//! pass 2: file -> Row -> Reading (prompt, traces, answer) -> Questions -> Record -> output file
//! ```
//!
//! Rows with the same question become one record, written after the last of them. Only questions with rows still to come
//! are in memory.
//!
//! Reading order:
//!
//! | files | subject |
//! |---|---|
//! | `lib.rs`, `settings.rs`, `counts.rs`, `error.rs` | [`import`]: both passes, settings, counts, errors |
//! | `input.rs`, `jsonl_file.rs`, `strict.rs`, `parquet_file.rs` | input files and their rows |
//! | `parquet_footer.rs`, `parquet_pages.rs`, `thrift.rs` | checks of a Parquet file before the library reads it |
//! | `row.rs`, `spelled.rs`, `layout.rs`, `s1k.rs`, `openr1.rs`, `openthoughts.rs`, `chat.rs`, `turn.rs`, `answer.rs` | [`Layout`]: columns of each dataset |
//! | `reading.rs`, `questions.rs`, `ids.rs` | content of a row, grouping by question, record ids |
//! | `unread.rs` | [`Unread`]: what is in the rows and was not read |
//!
//! ```
//! use ssft_import::{ImportSettings, import};
//! use std::fs;
//!
//! let folder = std::env::temp_dir().join(format!("import-{}", std::process::id()));
//! fs::create_dir_all(&folder)?;
//! let (input, output) = (folder.join("rows.jsonl"), folder.join("data.jsonl"));
//! fs::write(&input, r#"{"problem":"1+1?","answer":"2","generations":["So 2.","It is 2."]}"#)?;
//!
//! let counts = import(&[input], &output, &ImportSettings::default(), &mut |_| {})?;
//! assert_eq!((counts.questions, counts.traces), (1, 2));
//! assert!(fs::read_to_string(&output)?.starts_with(r#"{"id":"rows-1","question":"1+1?""#));
//! # fs::remove_dir_all(&folder)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answer;
mod chat;
mod counts;
pub mod error;
mod ids;
mod input;
mod jsonl_file;
mod layout;
mod openr1;
mod openthoughts;
mod parquet_file;
mod parquet_footer;
mod parquet_pages;
mod questions;
mod reading;
mod row;
mod s1k;
mod settings;
mod spelled;
mod strict;
mod thrift;
mod turn;
mod unread;

pub use counts::{Counts, QuestionDrop, TraceDrop};
pub use error::{ImportError, RowFault};
pub use layout::Layout;
pub use settings::ImportSettings;
pub use unread::Unread;

use ids::RowId;
use input::{Input, refused};
use layout::{IDS, Scope};
use questions::Questions;
use reading::NoReading;
use row::Row;
use ssft_data::words::counted;
use ssft_data::writer::RecordWriter;
use std::path::{Path, PathBuf};

/// Progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows read in this pass.
    pub rows: usize,
    /// Total number of rows; `None` in pass 1.
    pub total: Option<usize>,
}

/// Imports the files `inputs` into a JSONL file of records at `output`, which is replaced in one step. Calls `progress`
/// for every row of both passes.
///
/// # Errors
/// [`ImportError`]: a file cannot be read or written, is damaged or has an unknown layout, a row does not match its
/// layout, or no question is left.
pub fn import(
    inputs: &[PathBuf],
    output: &Path,
    settings: &ImportSettings,
    progress: &mut dyn FnMut(Progress),
) -> Result<Counts, ImportError> {
    let open = |path: &PathBuf| Input::open(path, settings.layout, settings.limits.line_bytes);
    let inputs = inputs.iter().map(open).collect::<Result<Vec<_>, _>>()?;
    if inputs.iter().any(|input| input.is_at(output)) {
        return Err(refused(output, "one of the files to import".to_owned(), "write to another one"));
    }
    // Opened first, so that an output folder without write permission is reported before the files are read.
    let mut writer = RecordWriter::create(output)?;
    let mut questions = Questions::new(settings);
    let total = count_rows(&inputs, &mut questions, progress)?;
    let mut progress = |rows| progress(Progress { rows, total: Some(total) });
    for input in &inputs {
        questions.counts.unread.add_columns(&input.undecoded);
        write_rows(input, &mut questions, &mut writer, &mut progress)?;
    }
    match inputs.last() {
        Some(input) if !questions.is_done() => Err(input.changed()),
        _ => finish(writer, questions.counts),
    }
}

/// Pass 1: counts the rows of each question. Returns the total number of rows.
fn count_rows(
    inputs: &[Input],
    questions: &mut Questions<'_>,
    progress: &mut dyn FnMut(Progress),
) -> Result<usize, ImportError> {
    let mut rows = 0;
    for input in inputs {
        input.each_row(Scope::Prompt, &mut |number, mut row| {
            rows += 1;
            progress(Progress { rows, total: None });
            match input.layout.prompt(&mut row) {
                Ok(prompt) => questions.expect(&prompt),
                Err(NoReading::Unusable(_)) => {}
                Err(NoReading::Faulty(fault)) => return Err(faulty(input, number, fault)),
            }
            Ok(())
        })?;
    }
    Ok(rows)
}

/// Pass 2 over one file.
fn write_rows(
    input: &Input,
    questions: &mut Questions<'_>,
    writer: &mut RecordWriter,
    progress: &mut dyn FnMut(usize),
) -> Result<(), ImportError> {
    input.each_row(Scope::Record, &mut |number, mut row| {
        questions.counts.rows += 1;
        progress(questions.counts.rows);
        let id = RowId { own: own_id(&mut row), made: input.id(number) };
        let reading = match input.layout.reading(&mut row) {
            Ok(reading) => reading,
            Err(NoReading::Unusable(reason)) => {
                questions.counts.drop_question(reason);
                return Ok(());
            }
            Err(NoReading::Faulty(fault)) => return Err(faulty(input, number, fault)),
        };
        questions.counts.unread.add_row(row.unread(), &reading.unread);
        match questions.take(id, reading).map_err(|_| input.changed())? {
            Some(record) => Ok(writer.write(&record)?),
            None => Ok(()),
        }
    })
}

/// The id in the row itself.
fn own_id(row: &mut Row) -> Option<String> {
    IDS.into_iter().find_map(|column| row.word(column))
}

fn faulty(input: &Input, number: usize, fault: RowFault) -> ImportError {
    ImportError::Row { place: input.place(number), fault }
}

/// Moves the output file to its path.
///
/// # Errors
/// [`ImportError::Empty`] if no question is left.
fn finish(writer: RecordWriter, counts: Counts) -> Result<Counts, ImportError> {
    if counts.questions == 0 {
        let rows = counted(counts.rows, "row");
        return Err(ImportError::Empty { rows, dropped: counts.dropped_lines().join("; ") });
    }
    writer.finish()?;
    Ok(counts)
}

#[cfg(test)]
mod tests;
