//! A look at the schema in the footer of a Parquet file before the library reads it.
//!
//! The library goes down the schema by recursion and asks for the memory of as many children as an element claims to
//! have. Made to do harm, that ends the process, which no error handling can prevent. So a footer
//! that cannot be one of rows is refused here. The footer is a struct in Thrift.

use crate::thrift::{LIST, LONG, NUMBER, STRUCT, TEXT, Thrift};

/// Deepest schema that is read. A list of structs needs four levels.
const MOST_LEVELS: usize = 64;
/// The field of the footer that lists the elements of the schema, parents before their children.
const SCHEMA: i16 = 2;
/// The field of an element that says how many children it has.
const CHILDREN: i16 = 5;

/// Whether `footer` can be handed to the library.
pub(super) fn is_sound(footer: &[u8]) -> bool {
    Thrift::new(footer).footer() == Some(true)
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

impl Thrift<'_> {
    /// Whether every schema in the footer nests as it should; there is one, unless somebody wants to do harm.
    fn footer(&mut self) -> Option<bool> {
        let (mut field, mut nest) = (0, true);
        while let Some(kind) = self.field(&mut field)? {
            match (field, kind) {
                (SCHEMA, LIST) => nest &= nests(&self.elements()?),
                // The library reads the kind that it expects, and so something else than what is read here.
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
        // Not reserved: the count may be anything.
        (0..count).map(|_| self.element()).collect()
    }

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
