//! Layout of open-r1/OpenR1-Math-220k: a problem, its answer, and generations with verdicts in parallel lists.

use crate::counts::TraceDrop;
use crate::error::RowFault;
use crate::reading::{Candidate, NoReading, Prompt, Reading};
use crate::row::Row;

/// Column with the list of traces.
pub(super) const GENERATIONS: &str = "generations";
/// Columns with lists of verdicts on the answers of the generations; one positive verdict suffices.
pub(super) const CORRECT: [&str; 2] = ["correctness_math_verify", "correctness_llama"];
/// Column with the list of verdicts on whether a generation is complete.
pub(super) const COMPLETE: &str = "is_reasoning_complete";

/// A list of verdicts; `None` if the column is missing or null, inner `None` for null.
type Flags = Option<Vec<Option<bool>>>;

/// The verdicts on the generations of a row.
struct Verdicts {
    correct: [Flags; 2],
    complete: Flags,
}

/// The prompt of a row.
pub(super) fn prompt(row: &mut Row) -> Result<Prompt, NoReading> {
    Prompt::plain(row.text("problem")?)
}

/// The complete content of a row.
pub(super) fn reading(row: &mut Row) -> Result<Reading, NoReading> {
    let prompt = prompt(row)?;
    let generations = row.texts(GENERATIONS)?;
    let verdicts = Verdicts::of(row)?;
    let fits = verdicts.are_about(generations.len());
    let trace = |(at, text): (usize, &String)| {
        let verdict = if fits { verdicts.on(at) } else { Err(TraceDrop::UnequalLists) };
        Candidate::new(Some(format!("generation-{}", at + 1)), "", text, verdict)
    };
    let traces = generations.iter().enumerate().map(trace).collect();
    Ok(Reading { answer: row.word("answer"), ..Reading::new(prompt, traces) })
}

impl Verdicts {
    fn of(row: &mut Row) -> Result<Self, RowFault> {
        let [by_rule, by_model] = CORRECT;
        Ok(Self { correct: [row.flags(by_rule)?, row.flags(by_model)?], complete: row.flags(COMPLETE)? })
    }

    /// Whether each present list has as many verdicts as there are generations.
    fn are_about(&self, generations: usize) -> bool {
        let [by_rule, by_model] = &self.correct;
        [by_rule, by_model, &self.complete].into_iter().flatten().all(|flags| flags.len() == generations)
    }

    /// The verdict on generation `at`.
    fn on(&self, at: usize) -> Result<(), TraceDrop> {
        let said = |flags: &Flags| flags.as_ref().and_then(|flags| flags.get(at).copied().flatten());
        let correct = self.correct.each_ref().map(said);
        if said(&self.complete) == Some(false) {
            Err(TraceDrop::Incomplete)
        } else if correct.contains(&Some(true)) || correct == [None, None] {
            Ok(())
        } else {
            Err(TraceDrop::Wrong)
        }
    }
}
