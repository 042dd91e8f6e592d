//! Record ids, unique within the output file.

use std::collections::HashSet;

/// Candidate ids of a question, from its first row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RowId {
    /// The id in the row itself.
    pub(super) own: Option<String>,
    /// The id made of file name and row number.
    pub(super) made: String,
}

impl RowId {
    /// An id at least as long as the one that [`Ids::give`] will return.
    pub(super) fn longest(&self) -> String {
        let own = self.own.as_deref().unwrap_or_default();
        let numbered = format!("{}-{}", self.made, u64::MAX);
        if own.len() > numbered.len() { own.to_owned() } else { numbered }
    }
}

/// The set of used ids.
#[derive(Debug, Default)]
pub(super) struct Ids {
    taken: HashSet<String>,
}

impl Ids {
    /// Returns the first unused of: the row's own id, the made id, the made id with a number (`train-7-2`); marks it as
    /// used.
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
