//! What an adapter's limits say about a model.

use crate::error::RunError;
use ssft_model::DecoderConfig;

/// Refuses a model with a matrix larger than `binding` bytes, the most that the adapter lets a shader see of one buffer.
///
/// # Errors
/// [`RunError::Model`] with both sizes in MiB.
///
/// ```
/// use ssft_model::{DecoderConfig, config::Preset};
/// use ssft_run::check_binding;
/// let refused = check_binding(&DecoderConfig::preset(Preset::Small, 100_000), 128 << 20).unwrap_err();
/// assert_eq!(refused.to_string(), "the model's largest matrix has 146 MiB, but the adapter binds at most 128 MiB");
/// ```
pub fn check_binding(model: &DecoderConfig, binding: u64) -> Result<(), RunError> {
    let largest = model.largest_matrix_bytes();
    if largest <= binding {
        return Ok(());
    }
    let (largest, most) = (largest >> 20, binding >> 20);
    Err(RunError::model(format!(
        "the model's largest matrix has {largest} MiB, but the adapter binds at most {most} MiB"
    )))
}
