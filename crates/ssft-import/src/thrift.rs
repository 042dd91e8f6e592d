//! Values in Thrift's compact protocol, in which Parquet files describe themselves.

/// Deepest nesting of structs and lists; Parquet knows about six.
const MOST_NESTING: usize = 32;
/// The kind of a number of 32 bits.
pub(super) const NUMBER: u8 = 5;
/// The kind of a number of 64 bits.
pub(super) const LONG: u8 = 6;
/// The kind of a text.
pub(super) const TEXT: u8 = 8;
/// The kind of a list.
pub(super) const LIST: u8 = 9;
/// The kind of a struct.
pub(super) const STRUCT: u8 = 12;

/// Reads values off the front; nothing comes of bytes that are none.
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// How many bytes have not been read.
    pub(super) fn rest(&self) -> usize {
        self.bytes.len()
    }

    /// Moves to the next field of a struct: its kind, or that the struct ends here.
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

    /// The length of a list and the kind of its elements.
    pub(super) fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.take(1)?[0];
        let count = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        Some((count, header & 15))
    }

    /// Reads a value of that kind, which lies `nesting` levels deep, for nothing.
    pub(super) fn pass_over(&mut self, kind: u8, nesting: usize) -> Option<()> {
        if nesting > MOST_NESTING {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.take(1).map(drop),
            4 | NUMBER | LONG => self.varint().map(drop),
            7 => self.take(8).map(drop),
            TEXT => self.varint().and_then(|length| self.take(usize::try_from(length).ok()?)).map(drop),
            LIST | 10 => {
                let (count, kind) = self.list()?;
                // Of truth values, which take a byte each, the library passes over none: it would go on elsewhere.
                if count > 0 && kind <= 2 {
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
            // Maps and the like, which the format has none of.
            _ => None,
        }
    }

    /// A number with its sign.
    pub(super) fn number(&mut self) -> Option<i64> {
        let folded = self.varint()?;
        Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

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

/// The bytes of a number without a sign; one with a sign is doubled first.
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
