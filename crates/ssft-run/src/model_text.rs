//! Everything of a model directory but the weights, as a run uses it.

use crate::encoding::Encoding;
use crate::error::RunError;
use ssft_data::encode::Encoder;
use ssft_data::forks::{CoverageGraph, ForkLead, ForkTable};
use ssft_data::template::Template;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::directory::{Carried, Files, model_files};
use ssft_model::{Decoder, Precision};

/// Encoder, fork lead and the files that the model came with.
#[derive(Debug)]
pub struct ModelText {
    /// Text to token ids.
    pub encoder: Encoder,
    /// Text around a forking token.
    pub lead: ForkLead,
    /// Files of the model that training started from; empty for a new model.
    pub carried: Carried,
}

impl ModelText {
    /// The text side of a model with this encoding and these files.
    pub fn new((encoder, lead): Encoding, carried: Carried) -> Self {
        Self { encoder, lead, carried }
    }

    /// A new model that reads single bytes, with plain prompts and bare forking tokens.
    ///
    /// # Errors
    /// [`RunError::Model`] if the context has no room for a row.
    pub fn bytes(forks: usize, context: usize) -> Result<Self, RunError> {
        let (tokenizer, lead) = (Tokenizer::bytes(forks).map_err(RunError::model)?, ForkLead::bare());
        let encoder = Encoder::new(tokenizer, Template::plain(), &lead, context).map_err(RunError::model)?;
        Ok(Self::new((encoder, lead), Carried::default()))
    }

    /// `[forks][tokens]`: the tokens between prompt and trace.
    pub fn leads(&self) -> Vec<Vec<u32>> {
        (0..self.encoder.tokenizer().forks().len()).map(|fork| self.encoder.lead(fork)).collect()
    }

    /// The content of `forks.json`.
    pub fn fork_table(&self, coverage: CoverageGraph) -> ForkTable {
        ForkTable::new(self.encoder.tokenizer().forks(), self.lead.clone(), coverage)
    }

    /// Files of a Hugging Face directory for `model`.
    ///
    /// # Errors
    /// [`RunError::Failed`] if the tokenizer cannot be written.
    pub fn files(&self, model: &Decoder, forks: &ForkTable, precision: Precision) -> Result<Files, RunError> {
        model_files(model, &self.encoder, forks, &self.carried, precision).map_err(RunError::failed)
    }
}
