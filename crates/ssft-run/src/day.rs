//! The day that a chat template can show.

use crate::error::RunError;
use chrono::{Datelike, Local, NaiveDate};
use ssft_data::template::{Date, Template};

/// Today in local time, in the form of the setting `date`: `2026-03-31`.
pub fn today() -> String {
    Local::now().date_naive().to_string()
}

/// Parses a day like `2026-03-31`.
///
/// # Errors
/// [`RunError::Setting`] if the text is no day.
pub fn parse(text: &str) -> Result<Date, RunError> {
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let date =
        day.and_then(|day| Date::new(u16::try_from(day.year()).ok()?, day.month() as u8, day.day() as u8));
    date.ok_or_else(|| RunError::setting("date", &format!("is {text:?}; give a day like 2026-03-31")))
}

/// True if prompts of the template depend on the day.
pub fn matters_to(template: &Template) -> bool {
    template.source().contains("strftime_now")
}
