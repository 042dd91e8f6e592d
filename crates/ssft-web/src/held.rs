//! Content of a session.

use crate::error::SessionError;
use crate::step_line::Recent;
use ssft_run::in_memory::{Learning, ModelInMemory, Weights};

/// Content of a session: a model, and the latest matches of its training.
pub struct Held {
    /// The model; its weights are fixed or in training.
    pub model: ModelInMemory,
    /// Matches of the latest questions.
    pub recent: Recent,
}

impl Held {
    /// A model without matches.
    pub fn new(model: ModelInMemory) -> Self {
        Self { model, recent: Recent::default() }
    }

    /// The model's training and its latest matches.
    ///
    /// # Errors
    /// [`SessionError::NoTraining`] if the weights are fixed.
    pub fn learning(&mut self) -> Result<(&mut Learning, &mut Recent), SessionError> {
        match &mut self.model.weights {
            Weights::Learning(learning) => Ok((learning, &mut self.recent)),
            Weights::Fixed(_) => Err(SessionError::NoTraining),
        }
    }
}
