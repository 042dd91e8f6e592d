//! open-thoughts/OpenThoughts-114k and OpenThoughts3-1.2M: chats, or the columns that they were made of.

use crate::answer::reference;
use crate::chat;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::Row;

/// What the teacher thought, in the config `metadata`.
pub(super) const REASONING: &str = "deepseek_reasoning";
/// What the teacher answered.
pub(super) const SOLUTION: &str = "deepseek_solution";
/// The solution of the source that the problem comes from.
pub(super) const TRUTH: &str = "ground_truth_solution";

/// Whether the row is a chat, or one of no use in a file of chats only.
fn is_chat(row: &Row) -> bool {
    chat::has_turns(row) || chat::has_place(row) && !row.has("problem")
}

/// The question of a row.
pub(super) fn prompt(row: &mut Row) -> Result<Prompt, NoReading> {
    if is_chat(row) {
        return chat::reading(row).map(|reading| reading.prompt);
    }
    if !row.has("problem") {
        return Err(row.lacks("conversations or problem").into());
    }
    Prompt::plain(row.text("problem")?)
}

/// Everything that a row says.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    if is_chat(row) {
        return chat::reading(row);
    }
    let prompt = prompt(row)?;
    let (thinking, attempt) = (row.text(REASONING)?, row.text(SOLUTION)?);
    let trace = Candidate::new(Some("deepseek".to_owned()), &thinking, &attempt, Ok(()));
    Ok(Reading { prompt, traces: vec![trace], answer: reference(&row.text_if_any(TRUTH)?) })
}
