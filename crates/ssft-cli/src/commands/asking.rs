//! Checks that several commands share: ranges of counts, and the form of answers.

use crate::exit::Failure;
use ssft_decode::format::AnswerFormat;
use ssft_run::settings::{MOST_TOKENS, Settings};

/// Refuses a count below `least` or above [`MOST_TOKENS`].
///
/// # Errors
/// [`Failure::Usage`] with the flag and its range.
pub fn check_count(flag: &str, value: usize, least: usize) -> Result<(), Failure> {
    if (least..=MOST_TOKENS).contains(&value) {
        return Ok(());
    }
    Err(Failure::Usage(format!("{flag} is {value}; give {least} to {MOST_TOKENS}")))
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
