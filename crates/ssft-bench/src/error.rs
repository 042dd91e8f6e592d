//! Why a measurement cannot be specified or fails.

use ssft_decode::DecodeError;
use ssft_train::TrainError;
use thiserror::Error;

/// Why a measurement cannot be specified or fails.
#[derive(Debug, Error)]
pub enum BenchError {
    /// A name that no kernel or arm has.
    #[error("unknown {what} \"{name}\"")]
    Name {
        /// Kind of the name: `kernel`, `arm`.
        what: &'static str,
        /// The name given.
        name: String,
    },
    /// A text that does not describe a linear layer.
    #[error("give three numbers of at least 1 as ROWSxINxOUT, such as 1024x576x1536")]
    LinearShape,
    /// The device fails while matrix products are under way.
    #[error("{what}")]
    Device {
        /// Message of the device.
        what: String,
    },
    /// The result of a matrix product cannot be read.
    #[error("{product}: {what}")]
    Product {
        /// Name of the product: `forward`.
        product: &'static str,
        /// Message of the device.
        what: String,
    },
    /// A matrix product is wrong, so that its time means nothing.
    #[error("{product}: the first number is {first}, but {exact:.6} is right")]
    WrongProduct {
        /// Name of the product: `forward`.
        product: &'static str,
        /// First number of the result.
        first: f32,
        /// The same number, computed in f64 on the host.
        exact: f64,
    },
    /// The device has no memory pools to watch.
    #[error("the CPU has no memory pools; watch those of a GPU")]
    NoPools,
    /// A training step fails.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Decoding fails.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}
