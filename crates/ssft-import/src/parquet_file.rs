//! Rows of a Parquet file.
//!
//! The file is untrusted. Lengths in it are checked against the file size before memory is allocated, and panics of the
//! library become errors.

use crate::error::ImportError;
use crate::parquet_footer::is_sound;
use crate::parquet_pages::Pages;
use crate::row::Columns;
use crate::spelled;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{ChunkReader, FileReader, Length, SerializedFileReader};
use parquet::record::reader::RowIter;
use parquet::record::{Field, Row};
use parquet::schema::types::{ColumnPath, Type};
use serde_json::{Map, Number, Value};
use ssft_data::error::DataError;
use ssft_data::words::{one_line, quote};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Longest reported message of the library, in characters; it may quote whole cells.
const REASON_CHARS: usize = 160;

/// Length in bytes of the footer's length at the end of a file.
const LENGTH_BYTES: usize = 4;
/// Length in bytes of the magic number at the end of a file.
const MAGIC_BYTES: u64 = 4;

/// Content of a cell that is no text.
const NOT_UTF8: &str = "bytes that are no UTF-8";

type Reader = SerializedFileReader<Chunks>;

/// Column names of the file at `path`, and the number of rows in its metadata.
pub(super) fn columns(path: &Path) -> Result<(Vec<String>, i64), ImportError> {
    let name = path.display().to_string();
    let reader = open(path, &name)?;
    let metadata = reader.metadata().file_metadata();
    let columns = metadata.schema().get_fields().iter().map(|field| field.name().to_owned());
    Ok((columns.collect(), metadata.num_rows()))
}

/// Calls `each` with the number (from 1) and the wanted columns of every row of the file at `path`. Other columns are not
/// decoded.
pub(super) fn each_row(
    path: &Path,
    wants: &dyn Fn(&str) -> bool,
    each: &mut dyn FnMut(usize, Columns) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let name = path.display().to_string();
    let reader = open(path, &name)?;
    let file = Chunks::open(path).map_err(|error| DataError::reading(name.clone(), &error))?;
    let Some(wanted) = projection(&reader, wants).map_err(|reason| damaged(&name, &reason))? else {
        return no_columns(&reader, each);
    };
    if let Some(twice) = twice(&wanted) {
        let reason = format!("has the column or field {} twice", quote(twice));
        return Err(ImportError::File { file: name, reason, remedy: "rename one of them".to_owned() });
    }
    let mut number = 0;
    for group in 0..reader.num_row_groups() {
        let behind = |row: usize, reason: &str| damaged(&format!("{name}, behind row {row}"), reason);
        let pages = guarded(|| pages(&file, reader.metadata().row_group(group), wants));
        if let Some((reason, remedy)) = pages.map_err(|reason| behind(number, &reason))?.refusal() {
            let file = format!("{name}, behind row {number}");
            return Err(ImportError::File { file, reason, remedy: remedy.to_owned() });
        }
        let group = guarded(|| reader.get_row_group(group)).map_err(|reason| behind(number, &reason))?;
        let rows = guarded(|| RowIter::from_row_group(Some(wanted.clone()), &*group));
        let mut rows = rows.map_err(|reason| behind(number, &reason))?;
        while let Some(row) = guarded(|| rows.next().transpose()).map_err(|reason| behind(number, &reason))? {
            number += 1;
            each(number, json(row))?;
        }
    }
    Ok(())
}

fn open(path: &Path, name: &str) -> Result<Reader, ImportError> {
    let file = Chunks::open(path).map_err(|error| DataError::reading(name.to_owned(), &error))?;
    if file.footer().is_some_and(|footer| !is_sound(&footer)) {
        return Err(damaged(name, "its footer describes no rows"));
    }
    let reader = guarded(|| SerializedFileReader::new(file)).map_err(|reason| damaged(name, &reason))?;
    let packed = reader.metadata().row_groups().iter().flat_map(|group| group.columns());
    let unreadable = packed.map(|column| column.compression()).find(|codec| !is_read(codec));
    match unreadable {
        Some(codec) => Err(ImportError::File {
            file: name.to_owned(),
            reason: format!("compressed with {}, which is not read here", name_of(codec)),
            remedy: "write it again with zstd or snappy".to_owned(),
        }),
        None => Ok(reader),
    }
}

/// The first name that two fields of one group have.
fn twice(group: &Type) -> Option<&str> {
    if group.is_primitive() {
        return None;
    }
    let mut names = HashSet::new();
    let fields = group.get_fields();
    let same = fields.iter().find(|field| !names.insert(field.name())).map(|field| field.name());
    same.or_else(|| fields.iter().find_map(|field| twice(field)))
}

/// Name of a codec without its level.
fn name_of(codec: Compression) -> String {
    format!("{codec:?}").split('(').next().unwrap_or_default().to_owned()
}

/// Whether a codec is supported: common in published datasets, and its decoder stops at the page size of the header.
fn is_read(codec: &Compression) -> bool {
    matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::ZSTD(_))
}

/// The schema of the wanted columns; `None` without any.
fn projection(reader: &Reader, wants: &dyn Fn(&str) -> bool) -> Result<Option<Type>, String> {
    let schema = reader.metadata().file_metadata().schema();
    let wanted = schema.get_fields().iter().filter(|field| wants(field.name())).cloned().collect::<Vec<_>>();
    if wanted.is_empty() {
        return Ok(None);
    }
    guarded(|| Type::group_type_builder(schema.name()).with_fields(wanted).build()).map(Some)
}

/// The page headers of the wanted columns of a row group.
fn pages(
    file: &Chunks,
    group: &RowGroupMetaData,
    wants: &dyn Fn(&str) -> bool,
) -> Result<Pages, ParquetError> {
    let mut pages = Pages::default();
    let is_wanted = |path: &ColumnPath| path.parts().first().is_some_and(|name| wants(name));
    for column in group.columns().iter().filter(|column| is_wanted(column.column_path())) {
        pages.add(file, column.byte_range())?;
    }
    Ok(pages)
}

/// Handles a file without wanted columns: one empty row makes `each` report the missing column.
fn no_columns(
    reader: &Reader,
    each: &mut dyn FnMut(usize, Columns) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    if reader.metadata().file_metadata().num_rows() > 0 { each(1, Columns::new()) } else { Ok(()) }
}

/// Calls the library; errors and panics become messages.
fn guarded<T>(run: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, String> {
    // The library panics on some damaged files, for example at sums of offsets and run lengths. Unwind safety: the
    // reader is not used after a panic.
    let result = catch_unwind(AssertUnwindSafe(run));
    match result {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("its parts contradict each other".to_owned()),
    }
}

fn damaged(file: &str, reason: &str) -> ImportError {
    let short: String = reason.chars().take(REASON_CHARS).collect();
    ImportError::File {
        file: file.to_owned(),
        reason: format!("damaged, or no Parquet file ({})", one_line(&short)),
        remedy: "download it again".to_owned(),
    }
}

fn json(row: Row) -> Columns {
    row.into_columns().into_iter().map(|(name, field)| (name, value(field))).collect()
}

/// A cell as JSON. Types that no layout reads, such as dates and decimals, become text.
fn value(field: Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(flag) => Value::Bool(flag),
        Field::Byte(number) => number.into(),
        Field::Short(number) => number.into(),
        Field::Int(number) => number.into(),
        Field::Long(number) => number.into(),
        Field::UByte(number) => number.into(),
        Field::UShort(number) => number.into(),
        Field::UInt(number) => number.into(),
        Field::ULong(number) => number.into(),
        Field::Float16(number) => float(shortest(number.to_f32())),
        Field::Float(number) => float(shortest(number)),
        Field::Double(number) => float(number),
        Field::Str(text) => Value::String(text),
        // Some writers omit the annotation of strings.
        Field::Bytes(bytes) => match str::from_utf8(bytes.data()) {
            Ok(text) => Value::String(text.to_owned()),
            Err(_) => spelled::spelling(NOT_UTF8),
        },
        Field::Group(row) => Value::Object(json(row)),
        Field::ListInternal(list) => list.elements().iter().cloned().map(value).collect(),
        Field::MapInternal(map) => {
            let entry = |(key, field): &(Field, Field)| match key {
                Field::Str(key) => (key.clone(), value(field.clone())),
                other => (other.to_string(), value(field.clone())),
            };
            let entries: Map<String, Value> = map.entries().iter().map(entry).collect();
            match entries.len() == map.entries().len() {
                true => Value::Object(entries),
                false => spelled::spelling("a map with a key twice"),
            }
        }
        // The library writes a decimal without fractional digits with a dot.
        Field::Decimal(_) => Value::String(field.to_string().trim_end_matches('.').to_owned()),
        // The library panics on dates that have no calendar day.
        other => match guarded(|| Ok(other.to_string())) {
            Ok(text) => Value::String(text),
            Err(_) => spelled::spelling("a date out of range"),
        },
    }
}

/// The f64 with the shortest spelling that stands for `number`: 0.1 and not 0.10000000149011612.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

fn float(number: f64) -> Value {
    let spelling = if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    };
    Number::from_f64(number).map_or_else(|| spelled::spelling(spelling), Value::Number)
}

/// A file reader that checks lengths against the file size; the library's own allocates memory first.
struct Chunks {
    file: File,
    length: u64,
}

impl Chunks {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self { file, length })
    }

    /// The footer. The file ends with the footer, its length and a magic number.
    fn footer(&self) -> Option<Bytes> {
        let end = self.length.checked_sub(LENGTH_BYTES as u64 + MAGIC_BYTES)?;
        let length = self.get_bytes(end, LENGTH_BYTES).ok()?;
        let length = u32::from_le_bytes(length.as_ref().try_into().ok()?);
        self.get_bytes(end.checked_sub(u64::from(length))?, length as usize).ok()
    }

    fn at(&self, start: u64) -> Result<File, ParquetError> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(start))?;
        Ok(file)
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<File>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(self.at(start)?))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let end = start.checked_add(length as u64).filter(|&end| end <= self.length);
        if end.is_none() {
            return Err(ParquetError::EOF(format!("{length} bytes at {start} of {}", self.length)));
        }
        let mut bytes = vec![0; length];
        self.at(start)?.read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::data_type::{ByteArray, Decimal};
    use std::sync::Arc;

    #[test]
    fn a_panic_of_the_library_is_an_error() {
        let result: Result<(), String> = guarded(|| panic!("as on some damaged files"));
        assert_eq!(result, Err("its parts contradict each other".to_owned()));
    }

    #[test]
    fn codecs_that_do_not_stop_are_not_read() {
        assert!(
            !is_read(&Compression::GZIP(parquet::basic::GzipLevel::default())) && !is_read(&Compression::LZ4)
        );
    }

    #[test]
    fn reasons_are_short_and_one_line() {
        let error = damaged("f", &"é\n".repeat(500)).to_string();
        let expected = "é\\n".repeat(REASON_CHARS / 2);
        assert_eq!(error, format!("f: damaged, or no Parquet file ({expected}); download it again"));
    }

    /// As in JSONL files; one of the two would be lost.
    #[test]
    fn two_fields_with_one_name_are_found() {
        let leaf = |name: &str| {
            let leaf = Type::primitive_type_builder(name, parquet::basic::Type::INT64).build();
            Arc::new(leaf.unwrap())
        };
        let group = |name: &str, fields: Vec<Arc<Type>>| {
            Type::group_type_builder(name).with_fields(fields).build().unwrap()
        };
        let inner = |names: [&str; 2]| Arc::new(group("turn", names.map(leaf).to_vec()));
        assert_eq!(twice(&group("s", vec![leaf("turn"), leaf("a"), inner(["a", "b"])])), Some("turn"));
        assert_eq!(twice(&group("s", vec![leaf("a"), inner(["b", "b"])])), Some("b"));
        assert_eq!(twice(&group("s", vec![leaf("a"), inner(["a", "b"])])), None);
    }

    #[test]
    fn cells_by_hand() {
        let cells = [
            (Field::Long(-3), serde_json::json!(-3)),
            (Field::UByte(200), serde_json::json!(200)),
            (Field::Double(0.5), serde_json::json!(0.5)),
            (Field::Float(0.1), serde_json::json!(0.1)),
            (Field::Float(-1.5e-38), serde_json::json!(-1.5e-38)),
            (Field::Float(16_777_216.0), serde_json::json!(16_777_216.0)),
            (Field::Float(f32::NAN), spelled::spelling("NaN")),
            (Field::Double(f64::NEG_INFINITY), spelled::spelling("-Infinity")),
            (Field::Date(1 << 30), spelled::spelling("a date out of range")),
            (Field::Decimal(Decimal::from_i32(42, 5, 0)), serde_json::json!("42")),
            (Field::Bytes(ByteArray::from("text")), serde_json::json!("text")),
            (Field::Bytes(ByteArray::from(vec![b'a', 0xff])), spelled::spelling(NOT_UTF8)),
            (Field::Decimal(Decimal::from_i32(125, 5, 2)), serde_json::json!("1.25")),
        ];
        for (field, expected) in cells {
            assert_eq!(value(field.clone()), expected, "{field}");
        }
    }
}
