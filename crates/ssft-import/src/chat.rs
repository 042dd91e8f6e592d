//! Chats whose last reply is the trace: `messages` or `conversations`, with one reply a row.

use crate::counts::QuestionDrop;
use crate::error::RowFault;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::{Row, text};
use serde_json::Value;
use ssft_data::record::Message;

/// The columns that may hold the turns: the first of them that does.
pub(super) const TURNS: [&str; 2] = ["messages", "conversations"];
/// The column that may hold what the system says, where the turns do not.
pub(super) const SYSTEM: &str = "system";

/// What a turn calls its speaker and its text.
const SPEAKER: [&str; 2] = ["role", "from"];
const TEXT: [&str; 2] = ["content", "value"];

/// Whether the row holds a chat.
pub(super) fn has_turns(row: &Row) -> bool {
    TURNS.iter().any(|column| row.holds(column))
}

/// Whether the row has a place for a chat, even if it holds none.
pub(super) fn has_place(row: &Row) -> bool {
    TURNS.iter().any(|column| row.has(column))
}

/// Everything that a row says.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    let mut messages = turns(row)?;
    let system = row.text_if_any(SYSTEM)?;
    if !system.trim().is_empty() && messages.iter().all(|message| message.role != "system") {
        messages.insert(0, Message { role: "system".to_owned(), content: system });
    }
    let reply = messages.iter().rposition(|message| message.role == "assistant");
    let reply = reply.ok_or(NoReading::Unusable(QuestionDrop::NoReply))?;
    messages.truncate(reply + 1);
    let reply = messages.pop().map(|message| message.content).unwrap_or_default();
    let prompt = Prompt::chat(messages)?;
    Ok(Reading { prompt, traces: vec![Candidate::new(None, "", &reply, Ok(()))], answer: None })
}

/// The turns of the chat, their speakers as the trainer calls them.
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
    // A table of both kinds of turns has nothing in the columns of the other kind.
    let mut part = |names: [&str; 2]| {
        let parts = names.map(|name| turn.get_mut(name).map(Value::take).unwrap_or_default());
        parts.into_iter().find(|part| !part.is_null()).unwrap_or_default()
    };
    let speaker = text(column, part(SPEAKER), "turns whose speaker is text")?;
    let content = text(column, part(TEXT), "turns whose content is text")?;
    let role = role(speaker.trim()).ok_or(NoReading::Unusable(QuestionDrop::OtherRole))?;
    Ok(Message { role: role.to_owned(), content })
}

fn no_turn(column: &str, turn: &Value) -> RowFault {
    RowFault::wrong_type(column, turn, "turns of role and content, or of from and value")
}

/// What the trainer calls the speaker.
fn role(speaker: &str) -> Option<&'static str> {
    match speaker {
        "system" => Some("system"),
        "user" | "human" => Some("user"),
        "assistant" | "gpt" => Some("assistant"),
        _ => None,
    }
}
