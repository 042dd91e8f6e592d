//! Progress bars, shown on a terminal only.

use crate::voice::Voice;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// A bar with an indicatif `template` over `length` items; `None` if their number is unknown. Hidden if `voice` is quiet.
pub fn bar(voice: Voice, template: &str, length: Option<usize>) -> ProgressBar {
    if voice == Voice::Quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = length.map_or_else(ProgressBar::no_length, |length| ProgressBar::new(length as u64));
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
