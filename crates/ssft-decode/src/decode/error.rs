//! Errors of decoding.

use ssft_data::error::DataError;
use thiserror::Error;

/// A fault that ends decoding.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// Reading from the device failed: it is lost or out of memory.
    #[error("decoding: the device stopped answering: {what}")]
    Device {
        /// Message of the device.
        what: String,
    },
    /// The model's output contains NaN or infinity.
    #[error("decoding: the model's probabilities are not numbers; its weights are damaged")]
    NotFinite,
    /// The tokenizer reported an error, or a question cannot be encoded.
    #[error(transparent)]
    Data(#[from] DataError),
}
