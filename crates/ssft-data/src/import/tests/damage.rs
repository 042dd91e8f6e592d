//! Parquet files that are damaged: an error of one line, or rows, but never a panic.

use super::parquet_rows::write;
use super::*;
use parquet::basic::Compression;
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

/// How many rows both passes read in these bytes. Nothing is written: thousands of syncs would take minutes.
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

/// A file of nothing but a footer whose schema has `count` elements, each with so many children.
fn with_schema(count: usize, children: i32) -> Vec<u8> {
    let varint = |mut value: usize| {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    };
    let zigzag = |number: i32| ((number << 1) ^ (number >> 31)) as u32 as usize;
    // Required, called `a`, with children.
    let element = [&[0x35, 0x00, 0x18, 0x01, b'a', 0x15], &*varint(zigzag(children)), &[0x00]].concat();
    // A version, the list of elements, one row and no groups of rows.
    let list = [&[0x15, 0x02, 0x19, 0xfc], &*varint(count), &element.repeat(count)].concat();
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
    // The library's own word on what is merely wrong.
    for (count, children) in [(64, 1), (3, 2)] {
        let error = outcome(&folder, &with_schema(count, children)).unwrap_err();
        assert!(error.contains("Index out of bound"), "{error}");
    }
}
