//! A look at the headers of pages before the library unpacks them.
//!
//! The library takes a header's word: it asks for as much memory as a page says that it unpacks to, for as many values as
//! it says that it holds, and it keeps a row's pages while it puts the row together. A file of some hundred bytes can ask
//! for all the memory that there is, which ends the process.

use crate::thrift::{NUMBER, STRUCT, Thrift};
use parquet::basic::Encoding;
use parquet::errors::ParquetError;
use parquet::file::reader::ChunkReader;

/// Longest page that is unpacked, in bytes. Writers aim at 1 MiB, but put a thousand texts into one, however long.
const LONGEST_PAGE: u64 = 512 << 20;
/// Beyond what one page may be, a row group unpacks to at most so many times the file; texts come to about ten.
const MOST_UNPACKED: u64 = 32;
/// Most values of a column in a row group: one list of so many takes 3 GiB on its way to a row. A million rows, as many as
/// writers put into a group, may be chats of sixteen turns.
const MOST_VALUES: u64 = 16 << 20;
/// The encodings in which a value is about as long as what stands for it, or a part of the dictionary. Published datasets
/// are written with these.
const READ: [Encoding; 4] =
    [Encoding::PLAIN, Encoding::RLE, Encoding::RLE_DICTIONARY, Encoding::PLAIN_DICTIONARY];
/// Longest header of a page: it may quote the least and the largest text of its page.
const LONGEST_HEADER: usize = 1 << 20;
/// What is read for a header at first.
const USUAL_HEADER: usize = 4 << 10;

/// What the pages of the wanted columns of a row group come to.
#[derive(Debug, Default)]
pub(super) struct Pages {
    file: u64,
    longest: u64,
    unpacked: u64,
    values: u64,
    unread: Option<u64>,
}

impl Pages {
    /// Adds the pages at `start .. start + length` of `file`.
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

    /// Why the pages are not unpacked, if they are not, and what to do.
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

/// What a header says about its page.
#[derive(Debug, Default)]
struct Page {
    /// How long the page is unpacked, in bytes.
    unpacked: u64,
    /// How long it is as it lies there.
    packed: u64,
    values: u64,
    /// An encoding that is not read.
    unread: Option<u64>,
}

/// The page at `at`, of which the file has at most `room` bytes, behind the length of its header.
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
        size *= 16;
    }
}

/// The fields of a header.
const UNPACKED: i16 = 2;
const PACKED: i16 = 3;
const DATA: i16 = 5;
const INDEX: i16 = 6;
const DICTIONARY: i16 = 7;
const DATA_V2: i16 = 8;

impl Thrift<'_> {
    /// The page of a header; nothing comes of half of one. Nor of one with another kind in a field that the library
    /// knows: it reads the kind that it expects, and so something else than what is read here.
    fn page(&mut self) -> Option<Page> {
        let (mut field, mut page) = (0, Page::default());
        let (mut unpacked, mut packed) = (None, None);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (UNPACKED, NUMBER) => unpacked = Some(self.count()?),
                (PACKED, NUMBER) => packed = Some(self.count()?),
                // How many of the part's first fields are numbers, and which of them is the encoding.
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

    /// The part of a header that depends on what kind of page it is.
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

    /// A number that is not negative.
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

    /// The length of a page, unpacked and as it lies there.
    fn lengths(unpacked: u64) -> Vec<u8> {
        [&[0x15, 0, 0x15][..], &number(unpacked), &[0x15], &number(4)].concat()
    }

    /// A page of four bytes and one value that claims to unpack to `unpacked`, behind a statistic as long as `quoted`.
    fn page(unpacked: u64, quoted: usize) -> Vec<u8> {
        let text = [varint(quoted as u64), vec![b'x'; quoted]].concat();
        let part = [&[0x2c, 0x15, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0x1c, 0x18][..], &text, &[0, 0]].concat();
        [&*lengths(unpacked), &part, &[0], b"page"].concat()
    }

    /// A page with something in place of what depends on its kind.
    fn with(part: &[u8]) -> Vec<u8> {
        [&*lengths(4), part, &[0], b"page"].concat()
    }

    fn pages(pages: &[Vec<u8>]) -> Result<Pages, String> {
        let bytes = Bytes::from([b"PAR1".to_vec(), pages.concat()].concat());
        let length = bytes.len() as u64 - 4;
        let mut found = Pages::default();
        found.add(&bytes, (4, length)).map(|()| found).map_err(|error| error.to_string())
    }

    /// The reason for which these are not unpacked.
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
        // Beside a page of the longest there is room for 32 times the file.
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

    /// The library does not look at the kinds of the fields that it knows.
    #[test]
    fn what_the_library_would_read_as_something_else_is_refused() {
        let huge = number(0x7fff_ffff);
        assert!(pages(&[with(&[])]).is_ok());
        for part in [
            // The unpacked length once more as a number of 64 bits, the page's kind as a truth value.
            [&[0x06, 4][..], &huge].concat(),
            vec![0x01, 2],
            // The number of values as one of 16 bits, and as one below zero.
            vec![0x2c, 0x14, 2, 0x15, 0, 0x15, 6, 0x15, 6, 0],
            vec![0x2c, 0x15, 1, 0x15, 0, 0x15, 6, 0x15, 6, 0],
            // Of truth values in a list the library passes over none.
            vec![0x6c, 0x19, 0x11, 1, 0],
        ] {
            let error = pages(&[with(&part)]).unwrap_err();
            assert!(error.contains("no page where there should be one"), "{part:x?}: {error}");
        }
    }
}
