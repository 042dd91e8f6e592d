//! From hidden states to the next token of every row.

use crate::fork::DecodeError;
use burn::tensor::{Tensor, activation::log_softmax};

/// The chosen token of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Its id.
    pub token: u32,
    /// Its log-probability, in nats.
    pub logprob: f32,
}

/// The most likely token of every row, by one readback of two numbers a row.
///
/// # Shapes
/// `hidden [rows, width]`, `head [vocab, width]`; returns `rows` choices.
///
/// # Errors
/// [`DecodeError::Device`] if the readback fails, [`DecodeError::NotFinite`] if a row has no most likely token.
pub async fn greedy(hidden: Tensor<2>, head: Tensor<2>) -> Result<Vec<Choice>, DecodeError> {
    let logprobs = log_softmax(hidden.matmul(head.transpose()), 1);
    let [rows, _] = logprobs.dims();
    let (best, token) = logprobs.max_dim_with_indices(1);
    // Token ids below 2^24 are exact in f32, and the largest vocabularies have 2^18 entries.
    let both = Tensor::cat(vec![token.float(), best], 1);
    let failed = |what: String| DecodeError::Device { what };
    let data = both.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    let values = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?;
    debug_assert_eq!(values.len(), 2 * rows);
    values
        .chunks_exact(2)
        .map(|pair| match pair[1].is_finite() {
            true => Ok(Choice { token: pair[0] as u32, logprob: pair[1] }),
            false => Err(DecodeError::NotFinite),
        })
        .collect()
}
