//! Layout of plain chats in `messages` or `conversations`. The last reply is the trace.

use crate::counts::QuestionDrop;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::Row;
use crate::turn::{OTHER_ROLE, Turn};
use crate::unread::UnreadTurns;
use ssft_data::record::Message;

/// Columns that may contain the turns; the first one with content counts.
pub(super) const TURNS: [&str; 2] = ["messages", "conversations"];
/// Column of the system message, used if the turns have none.
pub(super) const SYSTEM: &str = "system";

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
    let mut turns = turns(row)?;
    let reply = turns.iter().rposition(|turn| turn.role == "assistant");
    let reply = reply.ok_or(NoReading::Unusable(QuestionDrop::NoReply))?;
    let behind = turns.len() - reply - 1;
    turns.truncate(reply + 1);
    // Null counts as missing, and a template may have a system message of its own.
    turns.retain(|turn| turn.role != "system" || !turn.is_missing);
    if turns.iter().any(|turn| turn.role == OTHER_ROLE) {
        return Err(NoReading::Unusable(QuestionDrop::OtherRole));
    }
    if turns.iter().any(|turn| turn.calls) {
        return Err(NoReading::Unusable(QuestionDrop::Calls));
    }
    if turns.iter().any(|turn| turn.has_other_parts) {
        return Err(NoReading::Unusable(QuestionDrop::OtherParts));
    }
    let unread =
        UnreadTurns { keys: turns.iter().flat_map(|turn| turn.unread.iter().cloned()).collect(), behind };
    let mut messages: Vec<Message> = turns.into_iter().map(Turn::into_message).collect();
    let reply = messages.pop().unwrap_or_else(|| Message::new("assistant", ""));
    if let Some(system) = system(row, &messages)? {
        messages.insert(0, system);
    }
    let prompt = Prompt::chat(messages)?;
    let thought = reply.reasoning_content.unwrap_or_default();
    Ok(Reading {
        unread,
        ..Reading::new(prompt, vec![Candidate::new(None, &thought, &reply.content, Ok(()))])
    })
}

/// The message of the column `system`. If there is one among the turns, the column stays unread, unless both are the same.
fn system(row: &mut Row, messages: &[Message]) -> Result<Option<Message>, NoReading> {
    let mut of_turns = messages.iter().filter(|message| message.role == "system").peekable();
    let has_own = of_turns.peek().is_some();
    if has_own && !of_turns.any(|message| row.is_text(SYSTEM, &message.content)) {
        return Ok(None);
    }
    let text = row.text_if_any(SYSTEM)?;
    Ok((!has_own && !text.trim().is_empty()).then(|| Message::new("system", text)))
}

/// The turns of the chat.
fn turns(row: &mut Row) -> Result<Vec<Turn>, NoReading> {
    let there = |is_there: &dyn Fn(&str) -> bool| TURNS.into_iter().find(|column| is_there(column));
    let column = there(&|column| row.holds(column)).or_else(|| there(&|column| row.has(column)));
    let column = column.ok_or_else(|| row.lacks(&TURNS.join(" or ")))?;
    row.list(column)?.into_iter().map(|turn| Turn::new(column, turn)).collect()
}
