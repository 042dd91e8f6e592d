//! Known reasoning datasets, as JSONL or Parquet files, become [`Record`](ssft_data::record::Record)s.
//!
//! ```text
//! first pass:  file -> Row (its question only) -> Prompt -> rows a question
//! second pass: file -> Row -> Reading (question, traces or why not, answer) -> Questions -> Record -> file
//! ```
//!
//! A layout says what the columns of a dataset mean. Rows about the same question become one record; it is written
//! when its last row was seen, so only questions of which rows are still to come are in memory.

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
mod thrift;

pub use counts::{Counts, QuestionDrop, TraceDrop};
pub use error::{ImportError, RowFault};
pub use layout::Layout;
pub use settings::ImportSettings;

use ids::RowId;
use input::{Input, refused};
use layout::{IDS, Scope};
use questions::Questions;
use reading::NoReading;
use row::Row;
use ssft_data::words::counted;
use ssft_data::writer::RecordWriter;
use std::path::{Path, PathBuf};

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Rows read in this pass.
    pub rows: usize,
    /// Rows in all, which the second pass knows.
    pub total: Option<usize>,
}

/// Imports the files `inputs` into a file of records at `output`, which is written whole or not at all. Tells
/// `progress` about every row of both passes.
///
/// # Errors
/// A file cannot be read or written, is damaged or of no known layout, a row is not what the layout says, or no record
/// would be left.
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
    // A folder that cannot be written to is told before the files are read.
    let mut writer = RecordWriter::create(output)?;
    let mut questions = Questions::new(settings);
    let total = count_rows(&inputs, &mut questions, progress)?;
    let mut progress = |rows| progress(Progress { rows, total: Some(total) });
    for input in &inputs {
        write_rows(input, &mut questions, &mut writer, &mut progress)?;
    }
    match inputs.last() {
        Some(input) if !questions.is_done() => Err(input.changed()),
        _ => finish(writer, questions.counts),
    }
}

/// The first pass: how many rows there are, in all and of each question.
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

/// The second pass, over one file.
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
        match questions.take(id, reading).map_err(|_| input.changed())? {
            Some(record) => Ok(writer.write(&record)?),
            None => Ok(()),
        }
    })
}

fn own_id(row: &mut Row) -> Option<String> {
    IDS.into_iter().find_map(|column| row.word(column))
}

fn faulty(input: &Input, number: usize, fault: RowFault) -> ImportError {
    ImportError::Row { place: input.place(number), fault }
}

/// Puts the file in its place, unless it is empty.
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
