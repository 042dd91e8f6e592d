//! Next token of each row, from logits on the device.

use super::error::DecodeError;
use super::row::Row;
use super::sample::{Choice, Sampling, choose};
use burn::tensor::{Tensor, activation::log_softmax};

/// The next token of every row from `logits [rows, vocab]`, with one readback: two numbers a row for greedy decoding
/// without penalty, else all logits.
///
/// # Errors
/// [`DecodeError::Device`] or [`DecodeError::NotFinite`].
pub(super) async fn choose_all(
    logits: Tensor<2>,
    rows: &mut [&mut Row<'_>],
    sampling: &Sampling,
) -> Result<Vec<Choice>, DecodeError> {
    if sampling.is_greedy() && !sampling.has_penalty() {
        return greedy(logits).await;
    }
    let [_, vocab] = logits.dims();
    let values = read(logits).await?;
    let drawn = rows.iter_mut().zip(values.chunks_exact(vocab));
    drawn
        .map(|(row, logits)| choose(logits, &row.seen, sampling, &mut row.rng).ok_or(DecodeError::NotFinite))
        .collect()
}

/// The most likely token of each row of `logits [rows, vocab]`; ties go to the lowest id.
async fn greedy(logits: Tensor<2>) -> Result<Vec<Choice>, DecodeError> {
    let (best, token) = log_softmax(logits, 1).max_dim_with_indices(1);
    // Token ids are exact in f32 up to 2^24; the largest vocabularies have 2^18 entries.
    let values = read(Tensor::cat(vec![token.float(), best], 1)).await?;
    values
        .chunks_exact(2)
        .map(|pair| match pair[1].is_finite() {
            true => Ok(Choice { token: pair[0] as u32, logprob: f64::from(pair[1]) }),
            false => Err(DecodeError::NotFinite),
        })
        .collect()
}

async fn read(tensor: Tensor<2>) -> Result<Vec<f32>, DecodeError> {
    let failed = |what: String| DecodeError::Device { what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))
}
