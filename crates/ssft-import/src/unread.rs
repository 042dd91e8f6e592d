//! What is in the rows of a dataset and was not read.

use ssft_data::words::{counted, quote};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Most names of columns, and of keys, in a report.
const MOST_NAMES: usize = 12;

/// What is in the rows of a dataset and was not read, apart from dropped rows. What is null or empty is left out,
/// except in columns that were not decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unread {
    /// Number of rows by column; `None` for a column that was not decoded.
    pub(super) columns: BTreeMap<String, Option<usize>>,
    /// Number of turns by key.
    keys: BTreeMap<String, usize>,
    /// Turns after the last reply.
    turns_behind: usize,
    /// Answers that differ from that of an earlier row of the same question.
    pub(super) other_answers: usize,
    /// Ids of rows that an earlier question has.
    pub(super) taken_ids: usize,
}

/// What was not read of the turns of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnreadTurns {
    /// Keys, once for each turn.
    pub(super) keys: Vec<String>,
    /// Turns after the last reply.
    pub(super) behind: usize,
}

impl Unread {
    /// Adds columns that are not decoded.
    pub(super) fn add_columns(&mut self, names: &[String]) {
        self.columns.extend(names.iter().map(|name| (name.clone(), None)));
    }

    /// Adds the columns and turns of a row.
    pub(super) fn add_row<'a>(&mut self, columns: impl Iterator<Item = &'a str>, turns: &UnreadTurns) {
        for name in columns {
            // With a column that another file has too and that was not decoded there, the number stays unknown.
            match self.columns.get_mut(name) {
                Some(rows) => *rows = rows.map(|rows| rows + 1),
                None => drop(self.columns.insert(name.to_owned(), Some(1))),
            }
        }
        for key in &turns.keys {
            *self.keys.entry(key.clone()).or_default() += 1;
        }
        self.turns_behind += turns.behind;
    }

    /// The line of the report, if there is anything.
    pub(super) fn line(&self) -> Option<String> {
        let columns = self.columns.iter().map(|(name, rows)| (name, rows.unwrap_or(0)));
        let columns = listed(columns, |rows| counted(rows, "row")).map(|names| format!("columns {names}"));
        let keys = self.keys.iter().map(|(name, turns)| (name, *turns));
        let keys = listed(keys, |turns| turns.to_string()).map(|names| format!("keys of turns {names}"));
        let number = |count: usize, noun: &str, which: &str| {
            (count > 0).then(|| format!("{} {which}", counted(count, noun)))
        };
        let parts = [
            columns,
            keys,
            number(self.turns_behind, "turn", "behind the last reply"),
            number(self.other_answers, "answer", "unlike that of an earlier row"),
            number(self.taken_ids, "id", "that an earlier question has"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("not read: {}", parts.join("; ")))
    }
}

/// Names with their counts, the most frequent first; those with a count of 0 last, without it.
fn listed<'a>(
    names: impl Iterator<Item = (&'a String, usize)>,
    in_words: impl Fn(usize) -> String,
) -> Option<String> {
    let mut names: Vec<(&String, usize)> = names.collect();
    names.sort_by_key(|&(name, count)| (Reverse(count), name));
    let word = |&(name, count): &(&String, usize)| match count {
        0 => shown(name),
        count => format!("{} ({})", shown(name), in_words(count)),
    };
    let mut words: Vec<String> = names.iter().take(MOST_NAMES).map(word).collect();
    if names.len() > MOST_NAMES {
        words.push(format!("{} more", names.len() - MOST_NAMES));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// A short plain name as it is, another one quoted.
fn shown(name: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-. ".contains(c);
    let quoted = quote(name);
    if quoted.len() == name.len() + 2 && !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(keys: &[&str], behind: usize) -> UnreadTurns {
        UnreadTurns { keys: keys.iter().map(|&key| key.to_owned()).collect(), behind }
    }

    #[test]
    fn the_line_by_hand() {
        let mut unread = Unread::default();
        assert_eq!(unread.line(), None);
        unread.add_row(["tools"].into_iter(), &turns(&["name", "weight"], 4));
        unread.add_row(["tools", "source"].into_iter(), &turns(&["weight"], 0));
        unread.add_columns(&["source".to_owned()]);
        unread.add_row(["tools", "source", "a\n"].into_iter(), &turns(&[], 0));
        let expected = r#"not read: columns tools (3 rows), "a\n" (1 row), source; keys of turns weight (2), name (1); 4 turns behind the last reply"#;
        assert_eq!(unread.line().as_deref(), Some(expected));
        unread = Unread { other_answers: 1, taken_ids: 2, ..Unread::default() };
        let expected = "not read: 1 answer unlike that of an earlier row; 2 ids that an earlier question has";
        assert_eq!(unread.line().as_deref(), Some(expected));
    }

    #[test]
    fn many_names_are_counted() {
        let mut unread = Unread::default();
        let names: Vec<String> = (0..MOST_NAMES + 2).map(|at| format!("c{at}")).collect();
        unread.add_columns(&names);
        let line = unread.line().unwrap();
        assert!(line.ends_with(", 2 more") && line.split(", ").count() == MOST_NAMES + 1, "{line}");
    }
}
