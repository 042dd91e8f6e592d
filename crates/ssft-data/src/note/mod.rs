//! Notes on data that can be used, although a part of it never reaches the model.
//!
//! Files: this one holds [`Note`] and [`Notes`]; `left_out.rs` finds texts that a chat template leaves out, `unwritten.rs` those
//! that a tokenizer cannot write.

mod left_out;
mod unwritten;

use crate::words::{counted, quote};
use std::collections::HashMap;
use std::fmt;
use thiserror::Error;

/// A part of a question that never reaches the model. It is no problem: training works without it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("question {}{part}: {remark}", quote(id))]
pub struct Note {
    /// The question's id.
    pub id: String,
    /// The part of the question.
    pub part: Part,
    /// What does not reach the model.
    pub remark: Remark,
}

/// A part of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The text of the question.
    Question,
    /// A message, counted from 1.
    Message(usize),
    /// A trace, counted from 1.
    Trace(usize),
}

/// What does not reach the model.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Remark {
    /// A key of a message that is neither `role`, `content` nor `reasoning_content`.
    #[error("{} is not part of the prompt", quote(key))]
    Key {
        /// Name of the key.
        key: String,
    },
    /// A text of a message that the chat template does not write.
    #[error("{text} is not part of the prompt: the chat template leaves it out")]
    LeftOut {
        /// Which text.
        text: Text,
    },
    /// A content or question of which the chat template writes only a part, or something else.
    #[error("{text} is not in the prompt as it is: the chat template changes it")]
    Changed {
        /// Which text.
        text: Text,
    },
    /// A text whose white space alone does not come back from its tokens.
    #[error("the tokenizer does not keep all white space of such texts")]
    Blanks,
    /// A text that does not come back from its tokens.
    #[error("the tokenizer cannot write {text}, which comes back as {back}")]
    Unwritten {
        /// The text from the first difference on, without white space, quoted.
        text: String,
        /// What comes back in its place, quoted.
        back: String,
    },
}

/// A text of a question or a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Text {
    /// `question`.
    Question,
    /// `content`.
    Content,
    /// `reasoning_content`.
    Reasoning,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Question => "\"question\"",
            Self::Content => "\"content\"",
            Self::Reasoning => "\"reasoning_content\"",
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Question => Ok(()),
            Self::Message(number) => write!(f, ", message {number}"),
            Self::Trace(number) => write!(f, ", trace {number}"),
        }
    }
}

/// Most different remarks that [`Notes`] keeps; a file can have any number of keys.
const MOST_REMARKS: usize = 20;

/// Notes on the records of a file or a built-in task: for each different remark one place and the number of places.
///
/// ```
/// use ssft_data::dataset::{Limits, check_records};
///
/// let line = r#"{"id":"q1","messages":[{"role":"user","content":"1+1?","weight":1}],"traces":[{"text":"2"}]}"#;
/// let checked = check_records("d.jsonl", line.as_bytes(), &Limits::default());
/// let note = r#"d.jsonl:1: question "q1", message 1: "weight" is not part of the prompt"#;
/// assert_eq!(checked.notes.lines(3), [note]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// Name of the file.
    file: String,
    /// Line number of the first record with each id.
    lines: HashMap<String, usize>,
    first: Vec<Counted>,
    /// Number of notes with further remarks.
    others: usize,
}

/// A note and the number of notes with its remark.
#[derive(Debug, Clone)]
struct Counted {
    note: Note,
    count: usize,
}

impl Notes {
    /// No notes yet on the records of `file`.
    pub(crate) fn of_file(file: &str) -> Self {
        Self { file: file.to_owned(), ..Self::default() }
    }

    /// The line number of the first record with this id.
    pub(crate) fn line_of(&self, id: &str) -> Option<usize> {
        self.lines.get(id).copied()
    }

    pub(crate) fn set_line(&mut self, id: &str, line: usize) {
        self.lines.insert(id.to_owned(), line);
    }

    /// Adds a note.
    pub fn add(&mut self, note: Note) {
        if let Some(first) = self.first.iter_mut().find(|first| first.note.remark == note.remark) {
            first.count += 1;
        } else if self.first.len() < MOST_REMARKS {
            self.first.push(Counted { note, count: 1 });
        } else {
            self.others += 1;
        }
    }

    /// At most `most` lines, each a note with its place, for different remarks; then one with the number of notes with further
    /// remarks, if there are any.
    pub fn lines(&self, most: usize) -> Vec<String> {
        let shown = self.first.iter().take(most).map(|first| self.text(first));
        shown.chain(self.further(most).map(|further| self.place() + &further)).collect()
    }

    /// All notes in one line, if there are any.
    pub fn in_short(&self) -> Option<String> {
        let first = self.text(self.first.first()?);
        let further = self.further(1).map(|further| format!(", and {further}; `data check` prints them"));
        Some(first + &further.unwrap_or_default())
    }

    /// The number of notes beyond the first `shown` remarks, in words.
    fn further(&self, shown: usize) -> Option<String> {
        let count = self.first.iter().skip(shown).map(|first| first.count).sum::<usize>() + self.others;
        (count > 0).then(|| format!("{} on other parts", counted(count, "note")))
    }

    fn text(&self, Counted { note, count }: &Counted) -> String {
        let place = match self.line_of(&note.id) {
            Some(line) => format!("{}:{line}: ", self.file),
            None => self.place(),
        };
        let count = if *count == 1 { String::new() } else { format!(" (one of {count})") };
        format!("{place}{note}{count}")
    }

    /// The file as the start of a line; questions of a built-in task have none.
    fn place(&self) -> String {
        if self.file.is_empty() { String::new() } else { format!("{}: ", self.file) }
    }
}

impl Extend<Note> for Notes {
    fn extend<T: IntoIterator<Item = Note>>(&mut self, notes: T) {
        notes.into_iter().for_each(|note| self.add(note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(id: &str, message: usize, key: &str) -> Note {
        let remark = Remark::Key { key: key.to_owned() };
        Note { id: id.to_owned(), part: Part::Message(message), remark }
    }

    #[test]
    fn remarks_are_counted_and_one_place_is_told() {
        let mut notes = Notes::of_file("d.jsonl");
        assert!(notes.lines(3).is_empty() && notes.in_short().is_none());
        notes.set_line("q1", 7);
        notes.extend([note("q1", 1, "name"), note("q1", 2, "tool\ncalls"), note("q3", 2, "name")]);
        let name = r#"d.jsonl:7: question "q1", message 1: "name" is not part of the prompt (one of 2)"#;
        let calls = r#"d.jsonl:7: question "q1", message 2: "tool\ncalls" is not part of the prompt"#;
        assert_eq!(notes.lines(3), [name, calls]);
        assert_eq!(notes.lines(1), [name, "d.jsonl: 1 note on other parts"]);
        assert_eq!(
            notes.in_short(),
            Some(format!("{name}, and 1 note on other parts; `data check` prints them"))
        );
        // Any number of notes hides no other remark, and any number of remarks is counted.
        (0..100).for_each(|at| notes.add(note("q4", 1, &at.to_string())));
        assert_eq!(notes.first.len(), MOST_REMARKS);
        assert_eq!(notes.lines(1)[1], "d.jsonl: 101 notes on other parts");
        let mut of_task = Notes::default();
        of_task.add(note("q1", 1, "name"));
        assert_eq!(of_task.lines(1), [r#"question "q1", message 1: "name" is not part of the prompt"#]);
    }
}
