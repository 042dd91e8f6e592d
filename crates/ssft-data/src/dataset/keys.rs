//! Keys of messages that are not read.

use crate::anything::Anything;
use serde::Deserialize;
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
struct Line {
    messages: Vec<BTreeMap<String, Anything>>,
}

/// The keys of the messages in `text`, the line of a record, that are not read. A second reading of the line keeps
/// [`Record`](crate::record::Record) free of them.
pub(super) fn unused_keys(text: &str) -> serde_json::Result<Vec<UnusedKey>> {
    let Line { messages } = serde_json::from_str(text)?;
    let unused = |(index, keys): (usize, BTreeMap<String, Anything>)| {
        let held = keys.into_iter().filter(|(key, Anything(held))| *held && !USED.contains(&key.as_str()));
        held.map(move |(key, _)| UnusedKey { message: index + 1, key })
    };
    Ok(messages.into_iter().enumerate().flat_map(unused).collect())
}
