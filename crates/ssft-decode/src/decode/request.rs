//! Input of decoding: prompts, the start of each row, settings.

use super::sample::Sampling;
use rand_chacha::ChaCha8Rng;

/// A prompt and the rows that continue it.
#[derive(Debug, Clone)]
pub struct Question {
    /// Token ids of the prompt; at least one.
    pub prompt: Vec<u32>,
    /// Start of each row.
    pub rows: Vec<RowStart>,
}

/// Start of one row.
#[derive(Debug, Clone)]
pub struct RowStart {
    /// Token ids between prompt and text, at least one: the forking token and the fixed tokens behind it.
    pub lead: Vec<u32>,
    /// Random number generator of the row; see [`super::sample::row_generator`].
    pub rng: ChaCha8Rng,
}

/// Sampling and end conditions, the same for all rows.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Choice of the next token.
    pub sampling: Sampling,
    /// Token ids that end a row.
    pub eos: Vec<u32>,
    /// Strings that end a row; they are not part of its text.
    pub stop: Vec<String>,
    /// Most tokens after the lead, end of sequence included. The model's context is another limit.
    pub max_tokens: usize,
}
