//! One input file: format, layout, rows.

use crate::error::ImportError;
use crate::jsonl_file::{self, Unwanted};
use crate::layout::{Layout, Scope};
use crate::parquet_file;
use crate::row::{Columns, Row};
use ssft_data::error::DataError;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Most column names in a message.
const LISTED_COLUMNS: usize = 12;

/// A file of rows.
#[derive(Debug)]
pub(super) struct Input {
    path: PathBuf,
    format: Format,
    line_bytes: usize,
    /// Layout of the columns.
    pub(super) layout: Layout,
    /// Columns that are not read and not decoded.
    pub(super) undecoded: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Jsonl,
    Parquet,
}

impl Input {
    /// Opens the file at `path`, with the given layout or else the one detected from its columns.
    pub(super) fn open(path: &Path, layout: Option<Layout>, line_bytes: usize) -> Result<Self, ImportError> {
        require_file(path)?;
        let format = format(path)?;
        let columns = columns(path, format, line_bytes)?;
        if is_ours(&columns) {
            let reason = "holds records of this program already".to_owned();
            return Err(refused(path, reason, "use it as it is"));
        }
        let layout = layout.or_else(|| Layout::detect(&columns)).ok_or_else(|| unknown(path, &columns))?;
        let is_read = |column: &String| format == Format::Jsonl || layout.wants(column, Scope::Record);
        let undecoded = columns.into_iter().filter(|column| !is_read(column)).collect();
        Ok(Self { path: path.to_owned(), format, line_bytes, layout, undecoded })
    }

    /// Calls `each` with the number and the columns in `scope` of every row; with [`Scope::Record`] also with the names of those
    /// that the layout does not read, unless they are [`undecoded`](Self::undecoded).
    pub(super) fn each_row(
        &self,
        scope: Scope,
        each: &mut dyn FnMut(usize, Row) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let wants = |column: &str| self.layout.wants(column, scope);
        let mut row = |number, columns| each(number, Row::new(columns, self.layout.name()));
        match self.format {
            Format::Jsonl => {
                let mut row = |number, columns| row(number, columns).map(ControlFlow::Continue);
                let unwanted = match scope {
                    Scope::Prompt => Unwanted::Skipped,
                    Scope::Record => Unwanted::Marked,
                };
                jsonl_file::each_row(&self.path, self.line_bytes, &wants, unwanted, &mut row)
            }
            Format::Parquet => parquet_file::each_row(&self.path, &wants, &mut row),
        }
    }

    /// The place of row `number`, for a message.
    pub(super) fn place(&self, number: usize) -> String {
        match self.format {
            Format::Jsonl => format!("{}:{number}", self.path.display()),
            Format::Parquet => format!("{}, row {number}", self.path.display()),
        }
    }

    /// A generated id for the question whose first row is `number`.
    pub(super) fn id(&self, number: usize) -> String {
        let stem = self.path.file_stem().unwrap_or_default().to_string_lossy();
        format!("{stem}-{number}")
    }

    /// The error of a file that changed between the passes.
    pub(super) fn changed(&self) -> ImportError {
        let reason = "changed while it was read".to_owned();
        refused(&self.path, reason, "import it again when nothing writes to it")
    }

    /// Whether the file is the one at `path`.
    pub(super) fn is_at(&self, path: &Path) -> bool {
        matches!((fs::canonicalize(&self.path), fs::canonicalize(path)), (Ok(a), Ok(b)) if a == b)
    }
}

/// The error of the file at `path` with this reason and remedy.
pub(super) fn refused(path: &Path, reason: String, remedy: &str) -> ImportError {
    ImportError::File { file: path.display().to_string(), reason, remedy: remedy.to_owned() }
}

/// Refuses pipes and devices, since an import reads each file twice.
fn require_file(path: &Path) -> Result<(), ImportError> {
    let reading = |error: io::Error| DataError::reading(path.display().to_string(), &error);
    if fs::metadata(path).map_err(reading)?.is_file() {
        return Ok(());
    }
    Err(refused(path, "not a regular file".to_owned(), "name the files themselves: they are read twice"))
}

fn format(path: &Path) -> Result<Format, ImportError> {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "jsonl" | "json" | "ndjson" => Ok(Format::Jsonl),
        "parquet" => Ok(Format::Parquet),
        _ => {
            let reason = "neither .jsonl, .json nor .parquet by its name".to_owned();
            Err(refused(path, reason, "convert or rename it"))
        }
    }
}

/// The column names of the first row.
fn columns(path: &Path, format: Format, line_bytes: usize) -> Result<Vec<String>, ImportError> {
    let first = match format {
        Format::Jsonl => first_line(path, line_bytes)?,
        Format::Parquet => parquet_columns(path)?,
    };
    first.ok_or_else(|| refused(path, "holds no rows".to_owned(), "leave it out"))
}

fn first_line(path: &Path, line_bytes: usize) -> Result<Option<Vec<String>>, ImportError> {
    let mut first = None;
    let mut take = |_, columns: Columns| {
        first = Some(columns.keys().cloned().collect());
        Ok(ControlFlow::Break(()))
    };
    jsonl_file::each_row(path, line_bytes, &|_| false, Unwanted::Named, &mut take)?;
    Ok(first)
}

fn parquet_columns(path: &Path) -> Result<Option<Vec<String>>, ImportError> {
    let (columns, rows) = parquet_file::columns(path)?;
    Ok((rows > 0).then_some(columns))
}

/// Whether the columns are those of a [`Record`](ssft_data::record::Record).
fn is_ours(columns: &[String]) -> bool {
    let has = |column: &str| columns.iter().any(|name| name == column);
    has("traces") && (has("question") || has("messages"))
}

/// The error of a file whose columns match no layout.
fn unknown(path: &Path, columns: &[String]) -> ImportError {
    let names = Layout::all().map(Layout::name).join(", ");
    let mut listed = columns.iter().take(LISTED_COLUMNS).map(String::as_str).collect::<Vec<_>>().join(", ");
    if columns.len() > LISTED_COLUMNS {
        listed += ", ..";
    }
    let remedy = format!("rename the columns as one of the layouts has them: {names}");
    refused(
        path,
        format!("columns of no layout that is known ({})", ssft_data::words::one_line(&listed)),
        &remedy,
    )
}
