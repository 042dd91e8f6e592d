//! One turn of a chat.

use crate::error::RowFault;
use crate::reading::NoReading;
use crate::row::text;
use crate::spelled;
use serde_json::{Map, Value};
use ssft_data::anything::Anything;
use ssft_data::record::Message;

/// Names of a turn's role.
const SPEAKER: [&str; 2] = ["role", "from"];
/// Names of a turn's text.
const TEXT: [&str; 2] = ["content", "value"];
/// Names of the reasoning before the text of an assistant's turn.
const THOUGHT: [&str; 3] = ["reasoning_content", "reasoning", "thinking"];
/// Names of calls of tools in a turn.
const CALLS: [&str; 2] = ["tool_calls", "function_call"];
/// Types of a part of a text.
const TEXT_PARTS: [&str; 3] = ["text", "input_text", "output_text"];

/// Role of a turn that is none of `system`, `user` and `assistant`.
pub(super) const OTHER_ROLE: &str = "";

/// A turn of a chat.
#[derive(Debug)]
pub(super) struct Turn {
    /// `system`, `user` or `assistant`; [`OTHER_ROLE`] for any other.
    pub(super) role: &'static str,
    content: String,
    /// Whether the content is null or absent.
    pub(super) is_missing: bool,
    thought: String,
    /// Whether the turn calls a tool.
    pub(super) calls: bool,
    /// Whether its content has a part that is no text, for example an image.
    pub(super) has_other_parts: bool,
    /// Keys that hold something and are not read; `content.KEY` for a key of a part of the content.
    pub(super) unread: Vec<String>,
}

impl Turn {
    /// The turn that `value` holds, an item of the list in `column`.
    pub(super) fn new(column: &str, value: Value) -> Result<Self, NoReading> {
        let mut keys = match value {
            Value::Object(keys) if SPEAKER.iter().any(|name| keys.contains_key(*name)) => keys,
            other => {
                let expected = "turns of role and content, or of from and value";
                return Err(RowFault::wrong_type(column, &other, expected).into());
            }
        };
        let read = SPEAKER.iter().chain(&TEXT).chain(&THOUGHT);
        if let Some(odd) = read.filter_map(|name| keys.get(*name)).find_map(spelled::first) {
            return Err(RowFault::wrong_type(column, odd, "text").into());
        }
        let speaker = text(column, take(&mut keys, &SPEAKER), "turns whose speaker is text")?;
        let role = role(speaker.trim());
        let mut unread = Vec::new();
        let content = take(&mut keys, &TEXT);
        let is_missing = content.is_null();
        let content = match content {
            Value::Array(parts) => join("content", parts, &mut unread),
            part @ Value::Object(_) => join("content", vec![part], &mut unread),
            content => Some(text(column, content, "turns whose content is text")?),
        };
        let thought = if role == "assistant" { thought(&mut keys, &mut unread) } else { String::new() };
        let calls = CALLS.iter().any(|name| Anything::is_in(&take(&mut keys, &[name])));
        let has_other_parts = content.is_none();
        unread.extend(keys.into_iter().filter(|(_, value)| Anything::is_in(value)).map(|(key, _)| key));
        let content = content.unwrap_or_default();
        Ok(Self { role, content, is_missing, thought, calls, has_other_parts, unread })
    }

    /// The turn as a message.
    pub(super) fn into_message(self) -> Message {
        let Self { role, content, thought, .. } = self;
        let reasoning_content = Some(thought).filter(|thought| !thought.trim().is_empty());
        Message { reasoning_content, ..Message::new(role, content) }
    }
}

/// Moves the content of the first of `names` that holds anything out, else of the first that is not null. Another one with the same
/// content is emptied.
fn take(keys: &mut Map<String, Value>, names: &[&str]) -> Value {
    let find =
        |is_there: &dyn Fn(&Value) -> bool| names.iter().find(|name| keys.get(**name).is_some_and(is_there));
    let Some(name) = find(&Anything::is_in).or_else(|| find(&|value| !value.is_null())) else {
        return Value::Null;
    };
    let value = keys.get_mut(*name).map(Value::take).unwrap_or_default();
    for name in names {
        if let Some(other) = keys.get_mut(*name).filter(|other| **other == value) {
            other.take();
        }
    }
    value
}

/// The role of a message by the name of a turn's speaker.
fn role(speaker: &str) -> &'static str {
    match speaker {
        "system" => "system",
        "user" | "human" => "user",
        "assistant" | "gpt" => "assistant",
        _ => OTHER_ROLE,
    }
}

/// The reasoning of a turn: the first text among its names. Others stay, unless they are the same text.
fn thought(keys: &mut Map<String, Value>, unread: &mut Vec<String>) -> String {
    let mut thought = String::new();
    for name in THOUGHT {
        let Some(value) = keys.get_mut(name) else { continue };
        let mut of_parts = Vec::new();
        let text = match &*value {
            Value::String(text) => Some(text.clone()),
            Value::Array(parts) => join(name, parts.clone(), &mut of_parts),
            _ => None,
        };
        let Some(text) = text else { continue };
        if thought.trim().is_empty() || thought.trim() == text.trim() {
            value.take();
            unread.append(&mut of_parts);
            thought = text;
        }
    }
    thought
}

/// The text of the parts of a content; `None` if one is no text. Other keys of the parts are unread, as `name.KEY`.
fn join(name: &str, parts: Vec<Value>, unread: &mut Vec<String>) -> Option<String> {
    let mut joined = String::new();
    for part in parts {
        match part {
            Value::String(text) => joined += &text,
            Value::Object(mut keys) => {
                let kind = keys.get_mut("type").map(Value::take).unwrap_or_default();
                let text = keys.get_mut("text").map(Value::take).unwrap_or_default();
                let is_text = match &kind {
                    Value::String(kind) => TEXT_PARTS.contains(&kind.as_str()),
                    kind => kind.is_null(),
                };
                let held = keys.into_iter().filter(|(_, value)| Anything::is_in(value));
                let held: Vec<String> = held.map(|(key, _)| format!("{name}.{key}")).collect();
                match text {
                    Value::String(text) if is_text => joined += &text,
                    Value::Null if is_text && held.is_empty() => {}
                    _ => return None,
                }
                unread.extend(held);
            }
            Value::Null => {}
            _ => return None,
        }
    }
    Some(joined)
}
