//! A look at the schema in the footer of a Parquet file before the library reads it.
//!
//! The library goes down the schema by recursion and asks for the memory of as many children as an element claims to
//! have. Made to do harm, that ends the process, which no error handling can prevent. So a footer
//! that cannot be one of rows is refused here. The footer is a struct in Thrift's compact protocol.

/// Deepest schema that is read. A list of structs needs four levels.
const MOST_LEVELS: usize = 64;
/// Deepest nesting of structs and lists in the footer itself; the format knows about six.
const MOST_NESTING: usize = 32;
/// The field of the footer that lists the elements of the schema, parents before their children.
const SCHEMA: i16 = 2;
/// The field of an element that says how many children it has.
const CHILDREN: i16 = 5;
/// The kind of a number of 32 bits.
const NUMBER: u8 = 5;
/// The kind of a list.
const LIST: u8 = 9;

/// Whether `footer` can be handed to the library.
pub(super) fn is_sound(footer: &[u8]) -> bool {
    Thrift { bytes: footer }.footer() == Some(true)
}

/// Whether elements with so many children each nest no deeper than allowed, and none claims more than there are.
fn nests(elements: &[i32]) -> bool {
    // How many children each element above the next one still waits for.
    let mut waiting: Vec<i32> = Vec::new();
    for &children in elements {
        if let Some(left) = waiting.last_mut() {
            *left -= 1;
        }
        waiting.push(children);
        if children as usize > elements.len() || waiting.len() > MOST_LEVELS {
            return false;
        }
        while waiting.last().is_some_and(|&left| left == 0) {
            waiting.pop();
        }
    }
    true
}

/// Reads values off the front; nothing comes of bytes that are none.
struct Thrift<'a> {
    bytes: &'a [u8],
}

impl Thrift<'_> {
    /// Whether every schema in the footer nests as it should; there is one, unless somebody wants to do harm.
    fn footer(&mut self) -> Option<bool> {
        let (mut field, mut nest) = (0, true);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (SCHEMA, LIST) => nest &= nests(&self.elements()?),
                (SCHEMA, _) => return None,
                _ => self.pass_over(kind, 0)?,
            }
        }
        Some(nest)
    }

    /// The number of children of every element of the schema.
    fn elements(&mut self) -> Option<Vec<i32>> {
        let (count, _) = self.list()?;
        // Not reserved: the count may be anything.
        (0..count).map(|_| self.element()).collect()
    }

    fn element(&mut self) -> Option<i32> {
        let (mut field, mut children) = (0, 0);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (CHILDREN, NUMBER) => children = self.number()? as i32,
                (CHILDREN, _) => return None,
                _ => self.pass_over(kind, 0)?,
            }
        }
        Some(children)
    }

    /// Moves to the next field of a struct: its kind, or that the struct ends here.
    fn field(&mut self, id: &mut i16) -> Option<Option<u8>> {
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

    fn list(&mut self) -> Option<(u64, u8)> {
        let header = self.take(1)?[0];
        let count = if header >> 4 == 15 { self.varint()? } else { u64::from(header >> 4) };
        Some((count, header & 15))
    }

    fn pass_over(&mut self, kind: u8, nesting: usize) -> Option<()> {
        if nesting > MOST_NESTING {
            return None;
        }
        match kind {
            1 | 2 => Some(()),
            3 => self.take(1).map(drop),
            4 | NUMBER | 6 => self.varint().map(drop),
            7 => self.take(8).map(drop),
            8 => self.varint().and_then(|length| self.take(usize::try_from(length).ok()?)).map(drop),
            LIST | 10 => {
                let (count, kind) = self.list()?;
                // A truth value in a list takes a byte of its own.
                let kind = if kind <= 2 { 3 } else { kind };
                (0..count).try_for_each(|_| self.pass_over(kind, nesting + 1))
            }
            12 => {
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

    fn number(&mut self) -> Option<i64> {
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
