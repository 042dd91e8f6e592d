//! Content of a row as its layout reads it.

use crate::counts::{QuestionDrop, TraceDrop};
use crate::error::RowFault;
use crate::unread::UnreadTurns;
use ssft_data::record::Message;
use ssft_data::template::ThoughtForm;

/// The prompt of a question. Rows with equal prompts belong to the same question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prompt {
    /// A plain text.
    Question(String),
    /// A chat.
    Messages(Vec<Message>),
}

/// One trace of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Source of the trace; `None` derives one from its position within the question.
    pub(super) source: Option<String>,
    thinking: String,
    attempt: String,
    verdict: Result<(), TraceDrop>,
}

/// The complete content of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    /// The prompt.
    pub(super) prompt: Prompt,
    /// The traces of this row.
    pub(super) traces: Vec<Candidate>,
    /// The reference answer.
    pub(super) answer: Option<String>,
    /// What was not read of its turns.
    pub(super) unread: UnreadTurns,
}

/// Reason for a row without content.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoReading {
    /// The row does not match its layout; the import stops.
    Faulty(RowFault),
    /// The row is valid but not usable; it is dropped and counted.
    Unusable(QuestionDrop),
}

impl From<RowFault> for NoReading {
    fn from(fault: RowFault) -> Self {
        Self::Faulty(fault)
    }
}

impl Reading {
    /// A reading without an answer.
    pub(super) fn new(prompt: Prompt, traces: Vec<Candidate>) -> Self {
        Self { prompt, traces, answer: None, unread: UnreadTurns::default() }
    }
}

impl Prompt {
    /// The prompt of a plain question.
    pub(super) fn plain(question: String) -> Result<Self, NoReading> {
        if question.trim().is_empty() {
            return Err(NoReading::Unusable(QuestionDrop::NoQuestion));
        }
        Ok(Self::Question(question))
    }

    /// The prompt of a chat, as [`check_records`](ssft_data::dataset::check_records) accepts it; a single user message is a plain
    /// question.
    pub(super) fn chat(mut messages: Vec<Message>) -> Result<Self, NoReading> {
        let is_empty = |message: &Message| message.content.trim().is_empty();
        if !messages.iter().any(|message| message.role == "user" && !is_empty(message)) {
            return Err(NoReading::Unusable(QuestionDrop::NoQuestion));
        }
        if messages.iter().any(|message| message.role != "system" && is_empty(message)) {
            return Err(NoReading::Unusable(QuestionDrop::EmptyTurn));
        }
        if messages.last().is_some_and(|message| message.role == "assistant") {
            return Err(NoReading::Unusable(QuestionDrop::TwoReplies));
        }
        match messages.pop() {
            Some(only) if messages.is_empty() => Ok(Self::Question(only.content)),
            last => Ok(Self::Messages(messages.into_iter().chain(last).collect())),
        }
    }

    /// Hash of the prompt: FNV-1a with 128 bits, the same on every machine and in every version. The probability of a
    /// collision among a million prompts is about 1e-26.
    pub(super) fn key(&self) -> u128 {
        match self {
            Self::Question(text) => fnv(fnv(FNV_START, b"question"), text.as_bytes()),
            Self::Messages(messages) => messages.iter().fold(fnv(FNV_START, b"messages"), |hash, message| {
                let Message { role, content, reasoning_content } = message;
                let hash = named(hash, role, content);
                reasoning_content.iter().fold(hash, |hash, reasoning| named(hash, "reasoning", reasoning))
            }),
        }
    }
}

impl Candidate {
    /// A trace of reasoning and final answer; dropped for the reason in `verdict`, if any.
    pub(super) fn new(
        source: Option<String>,
        thinking: &str,
        attempt: &str,
        verdict: Result<(), TraceDrop>,
    ) -> Self {
        let [thinking, attempt] = [thinking, attempt].map(|text| text.trim().to_owned());
        Self { source, thinking, attempt, verdict }
    }

    /// The text, with reasoning and answer in the form `thoughts`; or the reason to drop the trace.
    pub(super) fn text(&self, thoughts: &ThoughtForm) -> Result<String, TraceDrop> {
        if self.thinking.is_empty() && self.attempt.is_empty() {
            return Err(TraceDrop::Empty);
        }
        self.verdict.map(|()| thoughts.join(&self.thinking, &self.attempt))
    }
}

/// Offset basis of FNV-1a with 128 bits.
const FNV_START: u128 = 0x6c62272e07bb014262b821756295c58d;
/// Prime of FNV-1a with 128 bits.
const FNV_PRIME: u128 = (1 << 88) + 0x13b;

/// `hash` with a text and its name. The length marks the end of the text.
fn named(hash: u128, name: &str, text: &str) -> u128 {
    let length = (text.len() as u64).to_le_bytes();
    [name.as_bytes(), &length, text.as_bytes()].into_iter().fold(hash, fnv)
}

fn fnv(hash: u128, bytes: &[u8]) -> u128 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: &str, content: &str) -> Message {
        Message::new(role, content)
    }

    #[test]
    fn the_hash_equals_published_vectors() {
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
        let thought = Message { reasoning_content: Some("t".to_owned()), ..message("assistant", "a") };
        let prompts = [
            Prompt::Question("a".to_owned()),
            Prompt::Question("a ".to_owned()),
            chat(&[("user", "a")]),
            chat(&[("system", "a")]),
            chat(&[("system", "a"), ("user", "b")]),
            chat(&[("system", "auser"), ("user", "b")]),
            chat(&[("system", ""), ("user", "ab")]),
            chat(&[("assistant", "a"), ("user", "b")]),
            Prompt::Messages(vec![thought, message("user", "b")]),
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
        // An empty system message replaces the default of a template.
        let turns = vec![message("system", ""), message("user", "1+1?")];
        assert_eq!(Prompt::chat(turns.clone()), Ok(Prompt::Messages(turns)));
    }
}
