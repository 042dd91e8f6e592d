//! Layout of open-thoughts/OpenThoughts-114k and OpenThoughts3-1.2M: chats, or the columns of the config `metadata`.

use crate::answer::reference;
use crate::chat;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::Row;

/// Column with the teacher's reasoning.
pub(super) const REASONING: &str = "deepseek_reasoning";
/// Column with the teacher's answer.
pub(super) const SOLUTION: &str = "deepseek_solution";
/// Column with the reference solution.
pub(super) const TRUTH: &str = "ground_truth_solution";

/// Whether the row is read as a chat: it contains one, or has a null column for one and no `problem`.
fn is_chat(row: &Row) -> bool {
    chat::has_turns(row) || chat::has_place(row) && !row.has("problem")
}

/// The prompt of a row.
pub(super) fn prompt(row: &mut Row) -> Result<Prompt, NoReading> {
    if is_chat(row) {
        return chat::reading(row).map(|reading| reading.prompt);
    }
    if !row.has("problem") {
        return Err(row.lacks("conversations or problem").into());
    }
    Prompt::plain(row.text("problem")?)
}

/// The complete content of a row.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    if is_chat(row) {
        return chat::reading(row);
    }
    let prompt = prompt(row)?;
    let (thinking, attempt) = (row.text(REASONING)?, row.text(SOLUTION)?);
    let trace = Candidate::new(Some("deepseek".to_owned()), &thinking, &attempt, Ok(()));
    Ok(Reading { answer: reference(row, TRUTH)?, ..Reading::new(prompt, vec![trace]) })
}
