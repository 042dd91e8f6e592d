//! One question with its correct traces: the shape of a JSONL line.

use serde::{Deserialize, Serialize};

/// A question and the M different correct reasoning traces known for it.
///
/// ```json
/// {"id":"q1","question":"12+35=","traces":[{"source":"lsb","text":"2+5=7 ... #### 47"}],"answer":"47"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Unique within a file.
    pub id: String,
    /// The question as plain text; absent when `messages` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The question as a chat; absent when `question` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// The correct traces, at least one.
    pub traces: Vec<Trace>,
    /// The reference answer, if the question has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// One turn of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text of the turn.
    pub content: String,
}

/// One reasoning trace that ends in the right answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Where the trace comes from (a strategy, a teacher model); never shown to the model.
    #[serde(default)]
    pub source: String,
    /// The text to learn, without an end-of-sequence token.
    pub text: String,
}
