//! Reader of Thrift's compact protocol, the encoding of Parquet's metadata.
//!
//! Source: <https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>.

/// Deepest nesting of structs and lists; Parquet uses about six levels.
const MOST_NESTING: usize = 32;
/// Type code of `true` (without a value of its own in a struct).
const TRUE: u8 = 1;
/// Type code of `false`, and of a list of truth values.
const FALSE: u8 = 2;
/// Type code of an 8-bit integer.
const BYTE: u8 = 3;
/// Type code of a 16-bit integer.
const SHORT: u8 = 4;
/// Type code of a 32-bit integer.
pub(super) const NUMBER: u8 = 5;
/// Type code of a 64-bit integer.
pub(super) const LONG: u8 = 6;
/// Type code of a 64-bit float.
const DOUBLE: u8 = 7;
/// Length of a 64-bit float, in bytes.
const DOUBLE_BYTES: usize = 8;
/// Type code of a string.
pub(super) const TEXT: u8 = 8;
/// Type code of a list.
pub(super) const LIST: u8 = 9;
/// Type code of a set, encoded as a list.
const SET: u8 = 10;
/// Type code of a struct.
pub(super) const STRUCT: u8 = 12;
/// Length of a short list from which on the length follows as a varint.
const LONG_LIST: u8 = 15;

/// Reader of values from the front of a byte slice. Methods return `None` for invalid or missing bytes.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Number of unread bytes.
    pub(super) fn rest(&self) -> usize {
        self.bytes.len()
    }

    /// Reads the header of the next field of a struct and updates `id`: its type code, or `Some(None)` at the end of the
    /// struct.
    pub(super) fn field(&mut self, id: &mut i16) -> Option<Option<u8>> {
        let header = self.take(1)?[0];
        if header == 0 {
            return Some(None);
        }
        *id = match header >> 4 {
            0 => self.number()? as i16,
            step => id.checked_add(i16::from(step))?,
        };
        Some(Some(header & 15))
    }

    /// Reads the header of a list: its length and the type code of its elements.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.take(1)?[0];
        let count = if header >> 4 == LONG_LIST { self.varint()? } else { u64::from(header >> 4) };
        Some((count, header & 15))
    }

    /// Skips a value with type code `kind`, `nesting` levels deep.
    pub(super) fn pass_over(&mut self, kind: u8, nesting: usize) -> Option<()> {
        if nesting > MOST_NESTING {
            return None;
        }
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.take(1).map(drop),
            SHORT | NUMBER | LONG => self.varint().map(drop),
            DOUBLE => self.take(DOUBLE_BYTES).map(drop),
            TEXT => self.varint().and_then(|length| self.take(usize::try_from(length).ok()?)).map(drop),
            LIST | SET => {
                let (count, kind) = self.list()?;
                // Truth values in a list take one byte each, but the library skips none and would lose its position.
                if count > 0 && kind <= FALSE {
                    return None;
                }
                (0..count).try_for_each(|_| self.pass_over(kind, nesting + 1))
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.pass_over(kind, nesting + 1)?;
                }
                Some(())
            }
            // Maps and others do not occur in Parquet's metadata.
            _ => None,
        }
    }

    /// Reads a signed integer (zigzag varint).
    pub(super) fn number(&mut self) -> Option<i64> {
        let folded = self.varint()?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// Reads an unsigned integer: 7 bits a byte, the lowest first.
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }
}

/// The varint encoding of an unsigned integer; the zigzag encoding of n >= 0 is that of 2 n.
#[cfg(test)]
pub(super) fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}
