//! What a layout reads out of a row.

use crate::counts::{QuestionDrop, TraceDrop};
use crate::error::RowFault;
use ssft_data::record::Message;

/// A question as it is asked. Rows with the same prompt are about the same question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    /// A plain text.
    Question(String),
    /// A chat.
    Messages(Vec<Message>),
}

/// One trace of a row: its text, or why it is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Where the layout says the trace comes from; nothing stands for its position within the question.
    pub(super) source: Option<String>,
    /// The text without white space around it.
    pub(super) text: Result<String, TraceDrop>,
}

/// Everything that one row says about its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// The question.
    pub(super) prompt: Prompt,
    /// Its traces in this row.
    pub(super) traces: Vec<Candidate>,
    /// The reference answer.
    pub(super) answer: Option<String>,
}

/// Why there is nothing to read in a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoReading {
    /// The row is not what the layout says: the import stops.
    Faulty(RowFault),
    /// The row is in order but of no use: it is dropped and counted.
    Unusable(QuestionDrop),
}

impl From<RowFault> for NoReading {
    fn from(fault: RowFault) -> Self {
        Self::Faulty(fault)
    }
}

impl Prompt {
    /// The prompt that is the text `question`.
    pub(super) fn plain(question: String) -> Result<Self, NoReading> {
        if question.trim().is_empty() {
            return Err(NoReading::Unusable(QuestionDrop::NoQuestion));
        }
        Ok(Self::Question(question))
    }

    /// The prompt that is the chat `messages`; a single message of the user is a plain question.
    pub(super) fn chat(mut messages: Vec<Message>) -> Result<Self, NoReading> {
        let asks = |message: &Message| message.role == "user" && !message.content.trim().is_empty();
        if !messages.iter().any(asks) {
            return Err(NoReading::Unusable(QuestionDrop::NoQuestion));
        }
        match messages.pop() {
            Some(only) if messages.is_empty() => Ok(Self::Question(only.content)),
            last => Ok(Self::Messages(messages.into_iter().chain(last).collect())),
        }
    }

    /// A number that tells prompts apart: FNV-1a of 128 bits, the same on every machine and in every version. Two
    /// prompts of a dataset share one by chance about as often as never (1e-26 among a million).
    pub(super) fn key(&self) -> u128 {
        match self {
            Self::Question(text) => fnv(fnv(FNV_START, b"question"), text.as_bytes()),
            Self::Messages(messages) => messages.iter().fold(fnv(FNV_START, b"messages"), |hash, message| {
                // The length keeps the end of one text apart from the start of the next.
                let length = (message.content.len() as u64).to_le_bytes();
                [message.role.as_bytes(), &length, message.content.as_bytes()].into_iter().fold(hash, fnv)
            }),
        }
    }
}

impl Candidate {
    /// A trace of thinking and the answer that follows, kept if `verdict` has nothing against it.
    pub(super) fn new(
        source: Option<String>,
        thinking: &str,
        attempt: &str,
        verdict: Result<(), TraceDrop>,
    ) -> Self {
        let text = match (thinking.trim(), attempt.trim()) {
            ("", "") => Err(TraceDrop::Empty),
            ("", only) | (only, "") => Ok(only.to_owned()),
            (thinking, attempt) => Ok(format!("{thinking}\n\n{attempt}")),
        };
        Self { source, text: text.and_then(|text| verdict.map(|()| text)) }
    }
}

const FNV_START: u128 = 0x6c62272e07bb014262b821756295c58d;
const FNV_PRIME: u128 = (1 << 88) + 0x13b;

fn fnv(hash: u128, bytes: &[u8]) -> u128 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> Message {
        Message { role: role.to_owned(), content: content.to_owned() }
    }

    #[test]
    fn the_hash_is_that_of_the_books() {
        // Published test vectors of FNV-1a with 128 bits.
        assert_eq!(fnv(FNV_START, b""), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(fnv(FNV_START, b"a"), 0xd228cb696f1a8caf78912b704e4a8964);
        assert_eq!(fnv(FNV_START, b"foobar"), 0x343e1662793c64bf6f0d3597ba446f18);
    }

    #[test]
    fn different_prompts_have_different_keys() {
        let chat = |turns: &[(&str, &str)]| {
            Prompt::Messages(turns.iter().map(|(role, content)| message(role, content)).collect())
        };
        let prompts = [
            Prompt::Question("a".to_owned()),
            Prompt::Question("a ".to_owned()),
            chat(&[("user", "a")]),
            chat(&[("system", "a")]),
            chat(&[("system", "a"), ("user", "b")]),
            chat(&[("system", "auser"), ("user", "b")]),
            chat(&[("system", ""), ("user", "ab")]),
        ];
        let keys: std::collections::HashSet<u128> = prompts.iter().map(Prompt::key).collect();
        assert_eq!(keys.len(), prompts.len());
    }

    #[test]
    fn a_single_message_is_a_plain_question() {
        let prompt = Prompt::chat(vec![message("user", " 1+1? ")]);
        assert_eq!(prompt, Ok(Prompt::Question(" 1+1? ".to_owned())));
        let turns = vec![message("system", "Add."), message("user", "1+1?")];
        assert_eq!(Prompt::chat(turns.clone()), Ok(Prompt::Messages(turns)));
        for unasked in [vec![], vec![message("system", "Add.")], vec![message("user", " ")]] {
            assert_eq!(Prompt::chat(unasked), Err(NoReading::Unusable(QuestionDrop::NoQuestion)));
        }
    }
}
