//! Layout of simplescaling/s1K and s1K-1.1: a question, a solution, and reasoning and answers of teacher models.

use crate::answer::reference;
use crate::counts::TraceDrop;
use crate::error::RowFault;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::Row;

/// Suffix of a column with the reasoning of a teacher.
pub(super) const THINKING: &str = "_thinking_trajectory";
/// Suffix of a column with the answer of a teacher.
pub(super) const ATTEMPT: &str = "_attempt";
/// Suffix of a column with the grade of a teacher's answer.
pub(super) const GRADE: &str = "_grade";
/// Positive grades: as published, as truth values, and as pandas writes truth values of a column with gaps.
const YES: [&str; 4] = ["yes", "true", "1", "1.0"];
/// Column of s1K with a list of reasoning texts of one teacher.
pub(super) const LIST: &str = "thinking_trajectories";

/// The prompt of a row.
pub(super) fn prompt(row: &mut Row) -> Result<Prompt, NoReading> {
    Prompt::plain(row.text("question")?)
}

/// The complete content of a row.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    let prompt = prompt(row)?;
    let answer = reference(row, "solution")?;
    let teachers: Vec<String> = row.names().filter_map(teacher).map(str::to_owned).collect();
    if teachers.is_empty() && !row.has(LIST) {
        return Err(row.lacks(&format!("{LIST} and no <teacher>{THINKING}")).into());
    }
    let mut traces = listed(row)?;
    for teacher in teachers {
        traces.push(taught(row, teacher)?);
    }
    Ok(Reading { answer, ..Reading::new(prompt, traces) })
}

/// The teacher in the name of a column of reasoning.
pub(super) fn teacher(column: &str) -> Option<&str> {
    column.strip_suffix(THINKING).filter(|teacher| !teacher.is_empty())
}

/// The traces of the list, each with the one answer of the row.
fn listed(row: &mut Row) -> Result<Vec<Candidate>, RowFault> {
    if !row.has(LIST) {
        return Ok(Vec::new());
    }
    let thoughts = row.texts(LIST)?;
    let attempt = row.text_if_any("attempt")?;
    let trace = |(at, thinking): (usize, &String)| {
        Candidate::new(Some(format!("trajectory-{}", at + 1)), thinking, &attempt, Ok(()))
    };
    Ok(thoughts.iter().enumerate().map(trace).collect())
}

/// The trace of one teacher.
fn taught(row: &mut Row, teacher: String) -> Result<Candidate, RowFault> {
    let thinking = row.text_if_any(&format!("{teacher}{THINKING}"))?;
    let attempt = row.text_if_any(&format!("{teacher}{ATTEMPT}"))?;
    let grade = row.word(&format!("{teacher}{GRADE}"));
    let right = grade.is_none_or(|grade| YES.iter().any(|yes| grade.eq_ignore_ascii_case(yes)));
    let verdict = if right { Ok(()) } else { Err(TraceDrop::Wrong) };
    Ok(Candidate::new(Some(teacher), &thinking, &attempt, verdict))
}
