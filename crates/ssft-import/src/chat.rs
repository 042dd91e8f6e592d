//! Layout of plain chats in `messages` or `conversations`. The last reply is the trace.

use crate::counts::QuestionDrop;
use crate::error::RowFault;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::{Row, text};
use serde_json::Value;
use ssft_data::record::Message;

/// Columns that may contain the turns; the first one with content counts.
pub(super) const TURNS: [&str; 2] = ["messages", "conversations"];
/// Column of the system message, used if the turns have none.
pub(super) const SYSTEM: &str = "system";

/// Names of a turn's role.
const SPEAKER: [&str; 2] = ["role", "from"];
/// Names of a turn's text.
const TEXT: [&str; 2] = ["content", "value"];

/// Whether the row contains a chat.
pub(super) fn has_turns(row: &Row) -> bool {
    TURNS.iter().any(|column| row.holds(column))
}

/// Whether the row has a column for a chat, which may be null.
pub(super) fn has_place(row: &Row) -> bool {
    TURNS.iter().any(|column| row.has(column))
}

/// The complete content of a row.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    let mut messages = turns(row)?;
    let system = row.text_if_any(SYSTEM)?;
    if !system.trim().is_empty() && messages.iter().all(|message| message.role != "system") {
        messages.insert(0, Message::new("system", system));
    }
    let reply = messages.iter().rposition(|message| message.role == "assistant");
    let reply = reply.ok_or(NoReading::Unusable(QuestionDrop::NoReply))?;
    messages.truncate(reply + 1);
    let reply = messages.pop().map(|message| message.content).unwrap_or_default();
    let prompt = Prompt::chat(messages)?;
    Ok(Reading { prompt, traces: vec![Candidate::new(None, "", &reply, Ok(()))], answer: None })
}

/// The turns of the chat as messages.
fn turns(row: &mut Row) -> Result<Vec<Message>, NoReading> {
    let there = |is_there: &dyn Fn(&str) -> bool| TURNS.into_iter().find(|column| is_there(column));
    let column = there(&|column| row.holds(column)).or_else(|| there(&|column| row.has(column)));
    let column = column.ok_or_else(|| row.lacks(&TURNS.join(" or ")))?;
    row.list(column)?.into_iter().map(|turn| message(column, turn)).collect()
}

fn message(column: &str, mut turn: Value) -> Result<Message, NoReading> {
    if SPEAKER.iter().all(|name| turn.get(name).is_none()) {
        return Err(no_turn(column, &turn).into());
    }
    // In a table with both kinds of turns the columns of the other kind are null.
    let mut part = |names: [&str; 2]| {
        let parts = names.map(|name| turn.get_mut(name).map(Value::take).unwrap_or_default());
        parts.into_iter().find(|part| !part.is_null()).unwrap_or_default()
    };
    let speaker = text(column, part(SPEAKER), "turns whose speaker is text")?;
    let content = text(column, part(TEXT), "turns whose content is text")?;
    let role = role(speaker.trim()).ok_or(NoReading::Unusable(QuestionDrop::OtherRole))?;
    Ok(Message::new(role, content))
}

fn no_turn(column: &str, turn: &Value) -> RowFault {
    RowFault::wrong_type(column, turn, "turns of role and content, or of from and value")
}

/// The role of a message by the name of a turn's speaker.
fn role(speaker: &str) -> Option<&'static str> {
    match speaker {
        "system" => Some("system"),
        "user" | "human" => Some("user"),
        "assistant" | "gpt" => Some("assistant"),
        _ => None,
    }
}
