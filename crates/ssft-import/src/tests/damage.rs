//! Damaged Parquet files: each gives rows or a one-line error, never a panic.

use super::parquet_rows::write;
use super::*;
use crate::thrift::varint;
use bytes::Bytes;
use parquet::basic::Compression;
use parquet::file::metadata::ParquetMetaDataWriter;
use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::json;

fn rows() -> Vec<Value> {
    let row = |at: usize| {
        json!({
            "problem": format!("problem {}", at % 5), "uuid": at, "answer": "7",
            "generations": [format!("first {at}"), format!("second {at} {}", "x".repeat(20))],
            "correctness_math_verify": [true, at.is_multiple_of(2)], "is_reasoning_complete": [true, true],
        })
    };
    (0..10).map(row).collect()
}

fn file(folder: &Folder, compression: Compression) -> Vec<u8> {
    let path = folder.path("d.parquet");
    write(&path, &rows(), 4, compression);
    fs::read(path).unwrap()
}

/// Number of rows that both passes read in these bytes. Nothing is written, since thousands of syncs would take minutes.
fn outcome(folder: &Folder, bytes: &[u8]) -> Result<usize, String> {
    let path = folder.path("d.parquet");
    // A new file, because some file systems sync one that is overwritten.
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    let mut rows = 0;
    let mut read = |input: Input, scope| {
        input.each_row(scope, &mut |_, _| {
            rows += 1;
            Ok(())
        })
    };
    let open = || Input::open(&path, None, 1 << 20);
    let outcome = open().and_then(|input| read(input, Scope::Prompt));
    let outcome = outcome.and_then(|()| open()).and_then(|input| read(input, Scope::Record));
    let name = format!("{}/", folder.0.path().display());
    outcome.map(|()| rows).map_err(|error| error.to_string().replace(&name, ""))
}

#[test]
fn files_cut_short() {
    let folder = Folder::new();
    let bytes = file(&folder, Compression::SNAPPY);
    assert_eq!(outcome(&folder, &bytes), Ok(20));
    for length in 0..bytes.len() {
        let error = outcome(&folder, &bytes[..length]).unwrap_err();
        assert!(error.starts_with("d.parquet: damaged, or no Parquet file ("), "{length}: {error}");
        assert!(error.ends_with("); download it again") && !error.contains('\n'), "{length}: {error}");
    }
}

#[test]
fn footers_longer_than_the_file() {
    let folder = Folder::new();
    let mut bytes = file(&folder, Compression::SNAPPY);
    let length = bytes.len();
    for footer in [length as u32 - 7, length as u32, 1 << 30, u32::MAX] {
        bytes[length - 8..length - 4].copy_from_slice(&footer.to_le_bytes());
        let error = outcome(&folder, &bytes).unwrap_err();
        assert!(error.starts_with("d.parquet: damaged, or no Parquet file ("), "{footer}: {error}");
    }
}

#[test]
fn flipped_bytes() {
    let folder = Folder::new();
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        let bytes = file(&folder, compression);
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= [0x01, 0x80, 0xff][at % 3];
            if let Err(error) = outcome(&folder, &flipped) {
                refused += 1;
                assert!(!error.contains('\n') && error.len() < 400, "{at}: {error}");
            }
        }
        // The others hit names, statistics and such, or texts, which carry no sums here.
        assert!(refused > bytes.len() / 4, "{refused} of {}", bytes.len());
    }
}

/// A file with only a footer, whose schema has `count` elements with the given number of children each.
fn with_schema(count: usize, children: i32) -> Vec<u8> {
    let zigzag = |number: i32| ((number << 1) ^ (number >> 31)) as u32 as u64;
    // Required, called `a`, with children.
    let element = [&[0x35, 0x00, 0x18, 0x01, b'a', 0x15], &*varint(zigzag(children)), &[0x00]].concat();
    // A version, the list of elements, one row and no groups of rows.
    let list = [&[0x15, 0x02, 0x19, 0xfc], &*varint(count as u64), &element.repeat(count)].concat();
    let footer = [&*list, &[0x16, 0x02, 0x19, 0x0c, 0x00]].concat();
    [b"PAR1", &*footer, &(footer.len() as u32).to_le_bytes(), b"PAR1"].concat()
}

#[test]
fn schemas_that_would_end_the_process() {
    let folder = Folder::new();
    file(&folder, Compression::SNAPPY);
    let hostile = "d.parquet: damaged, or no Parquet file (its footer describes no rows); download it again";
    // So deep that the library's recursion overflows the stack, and more children than fit in memory.
    for (count, children) in [(100_000, 1), (65, 1), (1, i32::MAX), (3, 4), (3, -1)] {
        assert_eq!(outcome(&folder, &with_schema(count, children)), Err(hostile.to_owned()), "{count}");
    }
    // Types other than the library assumes, at which the two readers would diverge.
    let sound = with_schema(3, 2);
    for (at, kind) in [(4, 0x16), (4, 0x18), (9, 0x36), (11, 0x15), (14, 0x16)] {
        let mut bytes = sound.clone();
        bytes[at] = kind;
        assert_eq!(outcome(&folder, &bytes), Err(hostile.to_owned()), "{at}: {kind}");
    }
    // The library's own message for a footer that is merely invalid.
    for (count, children) in [(64, 1), (3, 2)] {
        let error = outcome(&folder, &with_schema(count, children)).unwrap_err();
        assert!(error.contains("Index out of bound"), "{error}");
    }
}

/// A file of one row whose last column, a list of one text, has the pages that `change` makes of its own: a dictionary
/// of one text and the data.
fn with_pages(folder: &Folder, change: impl Fn(&[u8]) -> Vec<u8>) -> Vec<u8> {
    let path = folder.path("d.parquet");
    let row = json!({"question": "q", "thinking_trajectories": ["t"]});
    write(&path, &[row], 1, Compression::SNAPPY);
    let bytes = fs::read(path).unwrap();
    let reader = SerializedFileReader::new(Bytes::from(bytes.clone())).unwrap();
    let mut file = reader.metadata().clone().into_builder();
    let mut group = file.take_row_groups().remove(0).into_builder();
    let mut columns = group.take_columns();
    let column = columns.pop().unwrap();
    let (start, length) = column.byte_range();
    let (before, pages) = bytes[..(start + length) as usize].split_at(start as usize);
    let pages = change(pages);
    let column = column.into_builder().set_total_compressed_size(pages.len() as i64);
    // The index of the pages would be in another place.
    let column = column.set_offset_index_offset(None).set_offset_index_length(None);
    columns.push(column.build().unwrap());
    let group = group.set_column_metadata(columns).build().unwrap();
    let mut changed = [before, &pages].concat();
    ParquetMetaDataWriter::new(&mut changed, &file.add_row_group(group).build()).finish().unwrap();
    changed
}

/// Each of these takes gigabytes or aborts the process if the library reads it.
#[test]
fn pages_that_claim_the_memory() {
    let folder = Folder::new();
    let number = |value: u64| varint(value << 1);
    assert_eq!(outcome(&folder, &with_pages(&folder, <[u8]>::to_vec)), Ok(2));
    let refused =
        |change: &dyn Fn(&[u8]) -> Vec<u8>| outcome(&folder, &with_pages(&folder, change)).unwrap_err();
    let fewer = "write it again with fewer rows a row group";
    let place = "d.parquet, behind row 0";
    // The length of the dictionary, once more with the kind of a longer number, and the number of its values.
    let long = |pages: &[u8]| [&pages[..3], &number(0x7fff_ffff), &pages[4..]].concat();
    assert_eq!(
        refused(&long),
        format!("{place}: a page of 2048 MiB, of which at most 512 MiB are read; {fewer}")
    );
    let twice = |pages: &[u8]| [&pages[..4], &[0x06, 4], &number(0x7fff_ffff), &pages[4..]].concat();
    let no_page = "damaged, or no Parquet file (Parquet error: no page where there should be one, at";
    assert!(refused(&twice).starts_with(&format!("{place}: {no_page}")), "{}", refused(&twice));
    let values = "a column of 2147483648 values, of which at most 16777216 are read";
    let many = |pages: &[u8]| [&pages[..8], &number(0x7fff_ffff), &pages[9..]].concat();
    assert_eq!(refused(&many), format!("{place}: {values}; {fewer}"));
    // Many empty lists, encoded in two runs.
    let runs = |_: &[u8]| {
        let count = 0x7fff_fffe;
        let repeated = [&[2, 0][..], &number(count - 1), &[1]].concat();
        let defined = [&*number(count), &[2]].concat();
        let run = |levels: &[u8]| [&(levels.len() as u32).to_le_bytes(), levels].concat();
        let body = [run(&repeated), run(&defined)].concat();
        let length = number(body.len() as u64);
        let data = [&[0x2c, 0x15][..], &number(count), &[0x15, 0, 0x15, 6, 0x15, 6, 0, 0]].concat();
        [&[0x15, 0, 0x15], &*length, &[0x15], &length, &data, &body].concat()
    };
    assert_eq!(
        refused(&runs),
        format!("{place}: a column of 2147483646 values, of which at most 16777216 are read; {fewer}")
    );
}
