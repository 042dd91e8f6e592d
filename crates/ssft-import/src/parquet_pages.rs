//! Check of page headers before the library decompresses the pages.
//!
//! The library trusts a header: it allocates memory for the uncompressed size and the number of values that the header
//! claims, and keeps the pages of a row while it assembles the row. A file of some hundred bytes can thereby exhaust
//! memory, which aborts the process.

use crate::thrift::{NUMBER, STRUCT, Thrift};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

/// Largest uncompressed page, in bytes. Writers aim at 1 MiB, but put at least a thousand texts into a page.
const LONGEST_PAGE: u64 = 512 << 20;
/// Largest ratio of a row group's uncompressed size, beyond one page, to the file size; about 10 for text.
const MOST_UNPACKED: u64 = 32;
/// Most values of a column in a row group. One list of this length takes 3 GiB in memory; a row group of a million chats
/// can have sixteen turns a chat.
const MOST_VALUES: u64 = 16 << 20;
/// Supported encodings, those of published datasets: the size of the values is bounded by the size of the page and the
/// dictionary.
const READ: [Encoding; 4] =
    [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
/// Longest page header in bytes; it may contain the smallest and the largest text of the page.
const LONGEST_HEADER: usize = 1 << 20;
/// Bytes first read for a page header.
const USUAL_HEADER: usize = 4 << 10;
/// Growth of the number of bytes read, if a header is longer.
const HEADER_GROWTH: usize = 16;

/// Totals over the page headers of the wanted columns of a row group.
#[derive(Debug, Default)]
pub(super) struct Pages {
    /// File size in bytes.
    file: u64,
    /// Largest uncompressed page in bytes.
    longest: u64,
    /// Sum of the uncompressed pages in bytes.
    unpacked: u64,
    /// Most values of any column.
    values: u64,
    /// The first unsupported encoding.
    unread: Option<u64>,
}

impl Pages {
    /// Adds the pages of one column, at `start .. start + length` of `file`.
    pub(super) fn add(
        &mut self,
        file: &impl ChunkReader,
        (start, length): (u64, u64),
    ) -> Result<(), ParquetError> {
        self.file = file.len();
        let end = start.saturating_add(length);
        let (mut at, mut values) = (start, 0u64);
        while at < end {
            let (header, page) = page(file, at, end - at)?;
            self.longest = self.longest.max(page.unpacked);
            self.unpacked = self.unpacked.saturating_add(page.unpacked);
            values = values.saturating_add(page.values);
            self.unread = self.unread.or(page.unread);
            at = at.saturating_add(header).saturating_add(page.packed);
        }
        self.values = self.values.max(values);
        Ok(())
    }

    /// The reason not to read the pages and its remedy, if there is one.
    pub(super) fn refusal(&self) -> Option<(String, &'static str)> {
        let most = LONGEST_PAGE.saturating_add(self.file.saturating_mul(MOST_UNPACKED));
        let reason = if let Some(encoding) = self.unread {
            let reason = format!("encoded with {}, which is not read here", name_of(encoding));
            return Some((reason, "write it again with plain or dictionary encoding"));
        } else if self.longest > LONGEST_PAGE {
            format!("a page of {}, of which at most {} are read", size(self.longest), size(LONGEST_PAGE))
        } else if self.unpacked > most {
            format!("a row group of {}, of which at most {} are read", size(self.unpacked), size(most))
        } else if self.values > MOST_VALUES {
            format!("a column of {} values, of which at most {MOST_VALUES} are read", self.values)
        } else {
            return None;
        };
        Some((reason, "write it again with fewer rows a row group"))
    }
}

fn size(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

fn name_of(encoding: u64) -> String {
    let known = Encoding::VARIANTS.iter().find(|known| **known as u64 == encoding);
    known.map_or_else(|| format!("encoding {encoding}"), Encoding::to_string)
}

/// The content of a page header.
#[derive(Debug, Default)]
struct Page {
    /// Uncompressed size in bytes.
    unpacked: u64,
    /// Compressed size in bytes.
    packed: u64,
    /// Number of values.
    values: u64,
    /// The encoding, if it is unsupported.
    unread: Option<u64>,
}

/// Length and content of the page header at offset `at`; header and page have at most `room` bytes.
fn page(file: &impl ChunkReader, at: u64, room: u64) -> Result<(u64, Page), ParquetError> {
    let mut size = USUAL_HEADER;
    loop {
        let bytes = file.get_bytes(at, room.min(size as u64) as usize)?;
        let mut header = Thrift::new(&bytes);
        if let Some(page) = header.page() {
            return Ok(((bytes.len() - header.rest()) as u64, page));
        }
        if bytes.len() as u64 == room || size >= LONGEST_HEADER {
            return Err(ParquetError::General(format!("no page where there should be one, at {at}")));
        }
        size *= HEADER_GROWTH;
    }
}

// Fields of a page header.
const UNPACKED: i16 = 2;
const PACKED: i16 = 3;
const DATA: i16 = 5;
const INDEX: i16 = 6;
const DICTIONARY: i16 = 7;
const DATA_V2: i16 = 8;

impl Thrift<'_> {
    /// Reads a page header; `None` if it is incomplete, or a field has another type than the library assumes without a
    /// check.
    fn page(&mut self) -> Option<Page> {
        let (mut field, mut page) = (0, Page::default());
        let (mut unpacked, mut packed) = (None, None);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (UNPACKED, NUMBER) => unpacked = Some(self.count()?),
                (PACKED, NUMBER) => packed = Some(self.count()?),
                // Arguments: number of leading integer fields of the part, and which of them is the encoding.
                (DATA, STRUCT) => self.part(4, 2, &mut page)?,
                (DICTIONARY, STRUCT) => self.part(2, 2, &mut page)?,
                (DATA_V2, STRUCT) => self.part(6, 4, &mut page)?,
                (..UNPACKED | 4, NUMBER) | (INDEX, STRUCT) | (9.., _) => self.pass_over(kind, 0)?,
                _ => return None,
            }
        }
        (page.unpacked, page.packed) = unpacked.zip(packed)?;
        Some(page)
    }

    /// Reads the part of a header that depends on the page type. Its first `numbers` fields are integers; field
    /// `encoding` is the encoding.
    fn part(&mut self, numbers: i16, encoding: i16, page: &mut Page) -> Option<()> {
        let mut field = 0;
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (1, NUMBER) => page.values = page.values.saturating_add(self.count()?),
                (_, NUMBER) if field == encoding => {
                    let encoding = self.count()?;
                    let is_read = READ.iter().any(|read| *read as u64 == encoding);
                    page.unread = page.unread.or((!is_read).then_some(encoding));
                }
                (_, NUMBER) => self.pass_over(kind, 0)?,
                _ if field > numbers => self.pass_over(kind, 0)?,
                _ => return None,
            }
        }
        Some(())
    }

    /// Reads a non-negative integer.
    fn count(&mut self) -> Option<u64> {
        u64::try_from(self.number()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::thrift::varint;
    use super::*;
    use bytes::Bytes;

    fn number(value: u64) -> Vec<u8> {
        varint(value << 1)
    }

    /// The fields of the uncompressed and the compressed size.
    fn lengths(unpacked: u64) -> Vec<u8> {
        [&[0x15, 0, 0x15][..], &number(unpacked), &[0x15], &number(4)].concat()
    }

    /// A page of four bytes and one value with the uncompressed size `unpacked`, and a statistic of `quoted` bytes.
    fn page(unpacked: u64, quoted: usize) -> Vec<u8> {
        let text = [varint(quoted as u64), vec![b'x'; quoted]].concat();
        let part = [&[0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18][..], &text, &[0, 0]].concat();
        [&*lengths(unpacked), &part, &[0], b"page"].concat()
    }

    /// A page with `part` in place of the part that depends on its type.
    fn with(part: &[u8]) -> Vec<u8> {
        [&*lengths(4), part, &[0], b"page"].concat()
    }

    fn pages(pages: &[Vec<u8>]) -> Result<Pages, String> {
        let bytes = Bytes::from([b"PAR1".to_vec(), pages.concat()].concat());
        let length = bytes.len() as u64 - 4;
        let mut found = Pages::default();
        found.add(&bytes, (4, length)).map(|()| found).map_err(|error| error.to_string())
    }

    /// The reason not to read these pages.
    fn reason(these: &[Vec<u8>]) -> Option<String> {
        pages(these).unwrap().refusal().map(|(reason, _)| reason)
    }

    #[test]
    fn every_page_is_looked_at() {
        let found = pages(&[page(100, 0), page(7, 300_000), page(101, 5)]).unwrap();
        assert_eq!((found.longest, found.unpacked, found.values, found.unread), (101, 208, 3, None));
    }

    #[test]
    fn bounds_by_hand() {
        assert_eq!(reason(&[page(LONGEST_PAGE, 0)]), None);
        let longer = "a page of 513 MiB, of which at most 512 MiB are read";
        assert_eq!(reason(&[page(7, 0), page(LONGEST_PAGE + 1, 0)]).as_deref(), Some(longer));
        // Beyond one largest page the limit is 32 times the file size.
        let two = |second| [page(LONGEST_PAGE, 1_000_000), page(second, 0)];
        let room = 32 * (4 + two(1 << 20).concat().len() as u64);
        assert_eq!(reason(&two(room)), None);
        let more = "a row group of 543 MiB, of which at most 543 MiB are read";
        assert_eq!(reason(&two(room + 1)).as_deref(), Some(more));
    }

    #[test]
    fn values_of_every_kind_of_page() {
        for part in [
            &[&[0x2c, 0x15][..], &number(MOST_VALUES), &[0x15, 0, 0x15, 6, 0x15, 6, 0]].concat(),
            &[&[0x4c, 0x15][..], &number(MOST_VALUES), &[0x15, 4, 0x11, 0]].concat(),
            &[
                &[0x5c, 0x15][..],
                &number(MOST_VALUES),
                &[0x15, 0, 0x15, 2, 0x15, 16, 0x15, 0, 0x15, 0, 0x12, 0],
            ]
            .concat(),
        ] {
            assert_eq!(reason(&[with(part)]), None, "{part:x?}");
            let expected = "a column of 16777217 values, of which at most 16777216 are read";
            assert_eq!(reason(&[page(4, 0), with(part)]).as_deref(), Some(expected), "{part:x?}");
        }
    }

    #[test]
    fn encodings_that_make_much_of_little_are_not_read() {
        let data = |encoding: u8| with(&[0x2c, 0x15, 2, 0x15, encoding << 1, 0x15, 6, 0x15, 6, 0]);
        for (encoding, name) in [(5, "DELTA_BINARY_PACKED"), (7, "DELTA_BYTE_ARRAY"), (63, "encoding 63")] {
            let refusal = pages(&[data(encoding), data(0)]).unwrap().refusal();
            let reason = format!("encoded with {name}, which is not read here");
            assert_eq!(refusal, Some((reason, "write it again with plain or dictionary encoding")));
        }
        let v2 = with(&[0x5c, 0x15, 2, 0x15, 0, 0x15, 2, 0x15, 12, 0x15, 0, 0x15, 0, 0]);
        let expected = "encoded with DELTA_LENGTH_BYTE_ARRAY, which is not read here";
        assert_eq!(reason(&[v2]).as_deref(), Some(expected));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for damaged in [vec![0xff; 50], vec![], page(7, 2 << 20), vec![0x15, 0, 0]] {
            let error = pages(&[page(100, 0), damaged.clone(), vec![0; 1]]).unwrap_err();
            assert!(error.contains("no page where there should be one"), "{}: {error}", damaged.len());
        }
    }

    /// The library does not check the types of known fields.
    #[test]
    fn what_the_library_would_read_as_something_else_is_refused() {
        let huge = number(0x7fff_ffff);
        assert!(pages(&[with(&[])]).is_ok());
        for part in [
            // The uncompressed size again as a 64-bit integer; the page type as a truth value.
            [&[0x06, 4][..], &huge].concat(),
            vec![0x01, 2],
            // The number of values as a 16-bit integer; a negative number of values.
            vec![0x2c, 0x14, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0],
            vec![0x2c, 0x15, 1, 0x15, 0, 0x15, 6, 0x15, 6, 0],
            // The library skips no bytes for truth values in a list.
            vec![0x6c, 0x19, 0x11, 1, 0],
        ] {
            let error = pages(&[with(&part)]).unwrap_err();
            assert!(error.contains("no page where there should be one"), "{part:x?}: {error}");
        }
    }
}
