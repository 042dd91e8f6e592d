//! Output of decoding: the continuation of a row, as a whole and in pieces.

use serde::{Deserialize, Serialize};

/// Reason for the end of a continuation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model produced an end-of-sequence token.
    Eos,
    /// The text contains a stop string.
    Stop,
    /// The limit on tokens, or the end of the context, was reached.
    Length,
    /// The listener ended decoding.
    Cancelled,
}

/// The continuation of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Continuation {
    /// Token ids after the lead, without the end of sequence; those of a stop string are included.
    pub tokens: Vec<u32>,
    /// Text of the tokens, up to a stop string.
    pub text: String,
    /// Reason for the end.
    pub finish: Finish,
    /// Log-probability of the tokens under the model without sampling filters, end of sequence included, in nats.
    pub logprob: f64,
}

/// One new token of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece<'a> {
    /// Index of the question.
    pub question: usize,
    /// Index of the row within its question.
    pub row: usize,
    /// Id of the new token.
    pub token: u32,
    /// New text. Empty while a character is incomplete or the text may be the start of a stop string.
    pub text: &'a str,
    /// Reason for the end, if this is the last piece of the row.
    pub finish: Option<Finish>,
}
