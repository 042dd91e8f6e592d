//! Ids that no two records of a file share.

use std::collections::HashSet;

/// The ids that the first row of a question suggests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowId {
    /// The row's own.
    pub(super) own: Option<String>,
    /// One made of its file and number.
    pub(super) made: String,
}

impl RowId {
    /// An id that is no shorter than the one that will be given.
    pub(super) fn longest(&self) -> String {
        let own = self.own.as_deref().unwrap_or_default();
        let numbered = format!("{}-{}", self.made, u64::MAX);
        if own.len() > numbered.len() { own.to_owned() } else { numbered }
    }
}

/// The ids that are taken.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// The row's own id, or the one made for it if another record has that, or else the latter with a number.
    pub(super) fn give(&mut self, id: RowId) -> String {
        let numbered = (2..).map(|number: u64| format!("{}-{number}", id.made));
        let suggestions = id.own.into_iter().chain([id.made.clone()]).chain(numbered);
        let free = suggestions.into_iter().find(|id| !self.taken.contains(id));
        let id = free.unwrap_or(id.made);
        self.taken.insert(id.clone());
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_free_one() {
        let mut ids = Ids::default();
        let mut give = |own: &str, made: &str| {
            let own = (!own.is_empty()).then(|| own.to_owned());
            ids.give(RowId { own, made: made.to_owned() })
        };
        assert_eq!(give("a", "f-1"), "a");
        assert_eq!(give("a", "f-2"), "f-2");
        assert_eq!(give("", "f-3"), "f-3");
        assert_eq!(give("f-4", "f-9"), "f-4");
        assert_eq!(give("", "f-4"), "f-4-2");
        assert_eq!(give("a", "f-4"), "f-4-3");
    }
}
