//! Keys of messages that are not read.

use crate::anything::Anything;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// Keys that a [`Message`](crate::record::Message) has.
const USED: [&str; 3] = ["role", "content", "reasoning_content"];

/// A key of a message that is not read, although it holds something.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnusedKey {
    /// Position of the message, from 1.
    pub(super) message: usize,
    /// Name of the key.
    pub(super) key: String,
}

/// A line, of which only the keys of its messages are read.
#[derive(Deserialize)]
struct Line<V> {
    messages: Vec<BTreeMap<String, V>>,
}

/// The keys of the messages in `text`, the line of a record, that are not read. A second reading of the line keeps
/// [`Record`](crate::record::Record) free of them.
pub(super) fn unused_keys(text: &str) -> serde_json::Result<Vec<UnusedKey>> {
    match serde_json::from_str(text) {
        Ok(Line { messages }) => Ok(unused(messages, |Anything(held)| held)),
        // The parser can skip some values that it cannot read: very deep ones, and texts with half a surrogate pair.
        Err(_) => serde_json::from_str(text).map(|Line { messages }| unused(messages, |IgnoredAny| true)),
    }
}

/// The keys of `messages` that are not read and that hold something.
fn unused<V>(messages: Vec<BTreeMap<String, V>>, holds: impl Fn(V) -> bool) -> Vec<UnusedKey> {
    let mut unused = Vec::new();
    for (index, keys) in messages.into_iter().enumerate() {
        let keys = keys.into_iter().filter(|(key, _)| !USED.contains(&key.as_str()));
        let held = keys.filter_map(|(key, value)| holds(value).then_some(key));
        unused.extend(held.map(|key| UnusedKey { message: index + 1, key }));
    }
    unused
}
