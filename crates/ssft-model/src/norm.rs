//! Root mean square normalisation.

use crate::initializer::Initializer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};
use ssft_kernels::rms_norm;

/// `y = w * x / sqrt(mean(x^2) + eps)`. Source: arXiv 1910.07467.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    eps: f64,
}

impl RmsNorm {
    /// A norm whose weights are 1.
    pub fn init(width: usize, eps: f64, numbers: &Initializer, device: &Device) -> Self {
        Self { weight: numbers.constant(width, 1.0, device), eps }
    }

    /// # Shapes
    /// `x [.., width]`; returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let shape = x.shape();
        let width = shape[D - 1];
        let rows = x.reshape([shape.num_elements() / width, width]);
        rms_norm(rows, self.weight.val(), self.eps).reshape(shape)
    }
}
