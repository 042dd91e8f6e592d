//! Check of the schema in the footer of a Parquet file before the library reads it.
//!
//! The library recurses into the schema and allocates memory for as many children as an element claims. A malicious
//! footer can thereby abort the process. Footers with an invalid schema are therefore refused. The footer is a Thrift
//! struct.

use crate::thrift::{LIST, LONG, NUMBER, STRUCT, TEXT, Thrift};

/// Deepest accepted schema. A list of structs needs four levels.
const MOST_LEVELS: usize = 64;
/// Field of the footer with the list of schema elements, in depth-first order.
const SCHEMA: i16 = 2;
/// Field of a schema element with its number of children.
const CHILDREN: i16 = 5;

/// Whether the library can read `footer` safely.
pub(super) fn is_sound(footer: &[u8]) -> bool {
    Thrift::new(footer).footer() == Some(true)
}

/// Whether the schema, given as the number of children of each element, is within [`MOST_LEVELS`], and no element claims
/// more children than there are elements.
fn nests(elements: &[i32]) -> bool {
    // Number of missing children of each open ancestor.
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

impl Thrift<'_> {
    /// Whether every schema in the footer is valid. A regular footer has one.
    fn footer(&mut self) -> Option<bool> {
        let (mut field, mut nest) = (0, true);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (SCHEMA, LIST) => nest &= nests(&self.elements()?),
                // The library assumes these types without a check; other types would shift its position.
                (1, NUMBER) | (3, LONG) | (4 | 5 | 7, LIST) | (6 | 9, TEXT) | (8, STRUCT) | (10.., _) => {
                    self.pass_over(kind, 0)?;
                }
                _ => return None,
            }
        }
        Some(nest)
    }

    /// The number of children of every element of the schema.
    fn elements(&mut self) -> Option<Vec<i32>> {
        let (count, _) = self.list()?;
        // No memory is reserved, since the count is untrusted.
        (0..count).map(|_| self.element()).collect()
    }

    /// The number of children of one element.
    fn element(&mut self) -> Option<i32> {
        let (mut field, mut children) = (0, 0);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (CHILDREN, NUMBER) => children = self.number()? as i32,
                (1..=3 | 6..=9, NUMBER) | (4, TEXT) | (10, STRUCT) | (11.., _) => self.pass_over(kind, 0)?,
                _ => return None,
            }
        }
        Some(children)
    }
}
