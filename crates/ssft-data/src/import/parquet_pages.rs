//! A look at the headers of a column's pages before the library unpacks them.
//!
//! A page says how long it will be, and the library asks for that much memory, up to 2 GiB, before it unpacks a byte.

use super::thrift::{NUMBER, Thrift};
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

/// Longest page that is unpacked, in bytes. Writers aim at 1 MiB, but put a thousand texts into one, however long.
pub(super) const LONGEST_PAGE: u64 = 512 << 20;
/// Longest header of a page: it may quote the least and the largest text of its page.
const LONGEST_HEADER: usize = 1 << 20;
/// What is read for a header at first.
const USUAL_HEADER: usize = 4 << 10;
/// The fields of a header that say how long the page is, unpacked and as it lies there.
const UNPACKED: i16 = 2;
const PACKED: i16 = 3;

/// The first of the pages at `start .. start + length` of `file` that unpacks to more than `most` bytes: to how many.
pub(super) fn longer_than(
    file: &impl ChunkReader,
    (start, length): (u64, u64),
    most: u64,
) -> Result<Option<u64>, ParquetError> {
    let end = start.saturating_add(length);
    let mut at = start;
    while at < end {
        let Page { header, unpacked, packed } = page(file, at, end - at)?;
        if unpacked > most {
            return Ok(Some(unpacked));
        }
        at = at.saturating_add(header).saturating_add(packed);
    }
    Ok(None)
}

/// The lengths of a page, in bytes.
struct Page {
    header: u64,
    unpacked: u64,
    packed: u64,
}

/// The page at `at`, of which the file has at most `room` bytes.
fn page(file: &impl ChunkReader, at: u64, room: u64) -> Result<Page, ParquetError> {
    let mut size = USUAL_HEADER;
    loop {
        let bytes = file.get_bytes(at, room.min(size as u64) as usize)?;
        let mut header = Thrift::new(&bytes);
        if let Some((unpacked, packed)) = lengths(&mut header) {
            return Ok(Page { header: (bytes.len() - header.rest()) as u64, unpacked, packed });
        }
        if bytes.len() as u64 == room || size >= LONGEST_HEADER {
            return Err(ParquetError::General(format!("no page where there should be one, at {at}")));
        }
        size *= 16;
    }
}

/// How long the page is, unpacked and as it lies there; nothing comes of half a header.
fn lengths(header: &mut Thrift<'_>) -> Option<(u64, u64)> {
    let (mut field, mut unpacked, mut packed) = (0, None, None);
    while let Some(kind) = header.field(&mut field)? {
        match (field, kind) {
            (UNPACKED, NUMBER) => unpacked = u64::try_from(header.number()?).ok(),
            (PACKED, NUMBER) => packed = u64::try_from(header.number()?).ok(),
            _ => header.pass_over(kind, 0)?,
        }
    }
    unpacked.zip(packed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// A page of four bytes that claims to unpack to `unpacked`, behind a statistic as long as `quoted`.
    fn page(unpacked: u32, quoted: usize) -> Vec<u8> {
        let varint = |mut value: usize| {
            let mut bytes = Vec::new();
            while value >= 0x80 {
                bytes.push(value as u8 | 0x80);
                value >>= 7;
            }
            bytes.push(value as u8);
            bytes
        };
        let number = |value: u32| varint((value as usize) << 1);
        let text = [varint(quoted), vec![b'x'; quoted]].concat();
        [&[0x15, 0][..], &[0x15], &number(unpacked), &[0x15], &number(4), &[0x28], &text, &[0], b"page"]
            .concat()
    }

    fn outcome(pages: &[Vec<u8>], most: u64) -> Result<Option<u64>, String> {
        let bytes = Bytes::from([b"PAR1".to_vec(), pages.concat()].concat());
        let length = bytes.len() as u64 - 4;
        longer_than(&bytes, (4, length), most).map_err(|error| error.to_string())
    }

    #[test]
    fn every_page_is_looked_at() {
        let pages = [page(100, 0), page(7, 300_000), page(101, 5)];
        assert_eq!(outcome(&pages, 101), Ok(None));
        assert_eq!(outcome(&pages, 100), Ok(Some(101)));
        assert_eq!(outcome(&[page(0x7fff_ffff, 0)], LONGEST_PAGE), Ok(Some(0x7fff_ffff)));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for damaged in [vec![0xff; 50], vec![], page(7, 2 << 20), vec![0x15, 0, 0]] {
            let pages = [page(100, 0), damaged.clone(), vec![0; 1]];
            let error = outcome(&pages, 1000).unwrap_err();
            assert!(error.contains("no page where there should be one"), "{}: {error}", damaged.len());
        }
    }
}
