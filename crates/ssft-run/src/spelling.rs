//! Names of settings in messages, as each face writes them.
//!
//! The libraries write a setting in backticks, in kebab-case (`` raise `context` ``). The command line prints `--context`, a
//! scripting language `context`.

use crate::error::RunError;
use crate::settings::SETTINGS;

impl RunError {
    /// The message, with settings as a face writes them; see [`spelled`].
    pub fn spelled(&self, spelling: impl Fn(&str) -> String) -> String {
        spelled(&self.to_string(), spelling)
    }
}

/// Names that messages of the libraries put in backticks and that are no settings of a run: flags of other commands.
const OTHER_NAMES: [&str; 5] = ["layout", "min-traces", "out", "resume", "traces"];

/// A message in which every setting named in backticks is written by `spelling`. Other text in backticks stays.
///
/// ```
/// use ssft_run::spelled;
/// let message = "needs 600 tokens; raise `context`, or try `auto`";
/// assert_eq!(spelled(message, |key| format!("--{key}")), "needs 600 tokens; raise --context, or try `auto`");
/// ```
pub fn spelled(message: &str, spelling: impl Fn(&str) -> String) -> String {
    if !message.contains('`') {
        return message.to_owned();
    }
    let names = SETTINGS.iter().map(|setting| setting.key).chain(OTHER_NAMES);
    names.fold(message.to_owned(), |text, name| text.replace(&format!("`{name}`"), &spelling(name)))
}
