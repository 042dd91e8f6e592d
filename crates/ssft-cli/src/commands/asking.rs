//! Checks that several commands share: ranges of counts, and the form of answers.

use crate::exit::Failure;
use ssft_decode::format::AnswerFormat;
use ssft_run::settings::{MOST_QUESTIONS, MOST_TOKENS, Settings};
use std::ops::RangeInclusive;

/// Refuses a count below `least` or above [`MOST_TOKENS`].
///
/// # Errors
/// [`Failure::Usage`] with the flag and its range.
pub fn check_count(flag: &str, value: usize, least: usize) -> Result<(), Failure> {
    in_range(flag, value, least..=MOST_TOKENS)
}

/// Refuses a number of questions above [`MOST_QUESTIONS`].
///
/// # Errors
/// [`Failure::Usage`] with the flag and its range.
pub fn check_questions(flag: &str, value: usize) -> Result<(), Failure> {
    in_range(flag, value, 0..=MOST_QUESTIONS)
}

fn in_range(flag: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), Failure> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = (range.start(), range.end());
    Err(Failure::Usage(format!("{flag} is {value}; give {least} to {most}")))
}

/// Refuses a number of forking tokens outside the range of the setting `forks`.
///
/// # Errors
/// [`Failure::Usage`] with the range.
pub fn check_number_of_forks(forks: usize) -> Result<(), Failure> {
    Ok(Settings { forks, ..Settings::default() }.check()?)
}

/// The form of answers: `asked` if given, else that of the model's run, else `exact`.
pub fn answer_format(asked: Option<AnswerFormat>, run: Option<&Settings>) -> AnswerFormat {
    asked.or(run.map(|run| run.answers)).unwrap_or_default()
}
