//! A line on a terminal that says how far something is; nothing elsewhere.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar that looks as `template` says, over `length` of something if that is known; hidden if `quiet`.
pub fn bar(quiet: bool, template: &str, length: Option<usize>) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::no_length, |length| ProgressBar::new(length as u64));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
