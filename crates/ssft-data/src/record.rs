//! One question with its correct traces: the content of one JSONL line.

use serde::{Deserialize, Serialize};

/// A question and its M correct reasoning traces.
///
/// Exactly one of `question` and `messages` is present. As JSON:
///
/// ```json
/// {"id":"q1","question":"12+35=","traces":[{"source":"lsb","text":"2+5=7;1+3=4 #### 47"}],"answer":"47"}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Identifier, unique within a file.
    pub id: String,
    /// The question as plain text; absent if `messages` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The question as a chat; absent if `question` is present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
    /// The correct traces; at least one.
    pub traces: Vec<Trace>,
    /// The reference answer, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
}

/// One message of a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// The text of the message.
    pub content: String,
    /// Reasoning of the assistant before this message. Whether a prompt shows it depends on the chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning_content: Option<String>,
}

impl Message {
    /// A message without reasoning.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        Self { role: role.into(), content: content.into(), reasoning_content: None }
    }
}

/// One reasoning trace that ends in the correct answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trace {
    /// Origin of the trace, for example a strategy or a teacher model. It is never part of the model's input.
    #[serde(default)]
    pub source: String,
    /// The target text, without an end-of-sequence token.
    pub text: String,
}
