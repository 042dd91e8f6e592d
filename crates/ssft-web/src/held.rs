//! What a session holds.

use crate::error::SessionError;
use crate::step_line::Recent;
use ssft_run::in_memory::{Learning, ModelInMemory, Weights};

/// A model, and the latest matches of its training.
pub struct Held {
    /// The model, in training or not.
    pub model: ModelInMemory,
    /// Matches of the latest questions.
    pub recent: Recent,
}

impl Held {
    /// A model without matches.
    pub fn new(model: ModelInMemory) -> Self {
        Self { model, recent: Recent::default() }
    }

    /// The training under way and its matches.
    ///
    /// # Errors
    /// [`SessionError::NoTraining`].
    pub fn learning(&mut self) -> Result<(&mut Learning, &mut Recent), SessionError> {
        match &mut self.model.weights {
            Weights::Learning(learning) => Ok((learning, &mut self.recent)),
            Weights::Fixed(_) => Err(SessionError::NoTraining),
        }
    }
}
