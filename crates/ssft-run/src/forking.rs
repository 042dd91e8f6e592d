//! Number of forking tokens of a loaded model.

use crate::error::RunError;
use crate::settings::Settings;
use ssft_model::directory::TextSide;

/// Number and initial values of forking tokens that the user asked for. `None` stands for the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WantedForks<'a> {
    /// Number of forking tokens.
    pub count: Option<usize>,
    /// Token whose embedding and head rows new forking tokens start from.
    pub init: Option<&'a str>,
    /// Seed of the noise on those rows.
    pub seed: u64,
}

impl WantedForks<'_> {
    /// Number of forking tokens after loading: the number asked for, else the number that the model has, else the default of
    /// [`Settings`] (6).
    pub fn after(&self, present: usize) -> usize {
        let default = if present == 0 { Settings::default().forks } else { present };
        self.count.unwrap_or(default)
    }
}

/// The model with its wanted number of forking tokens.
///
/// # Errors
/// [`RunError::Model`] if the model has more, `init` is given although none is added, or there is no token to start from.
pub fn with_forks(model: TextSide, wanted: WantedForks<'_>) -> Result<TextSide, RunError> {
    let present = model.tokenizer.forks().len();
    let count = wanted.after(present);
    if count < present {
        return Err(RunError::model(format!(
            "the model has {present} forking tokens, more than the {count} of `forks`; leave out `forks` to use them all"
        )));
    }
    if count == present && wanted.init.is_some() {
        return Err(RunError::model(format!(
            "the model has its {present} forking tokens already; leave out `fork-init`, or ask for more `forks`"
        )));
    }
    model.with_forks(count, wanted.init, wanted.seed).map_err(RunError::model)
}
