//! Root mean square normalisation.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};

/// `y = w * x / sqrt(mean(x^2) + eps)`. Source: arXiv 1910.07467.
#[derive(Module, Debug)]
pub struct RmsNorm {
    /// `[width]`.
    pub weight: Param<Tensor<1>>,
    #[module(skip)]
    eps: f64,
}

impl RmsNorm {
    /// A norm with weight 1.
    pub fn init(width: usize, eps: f64, device: &Device) -> Self {
        Self { weight: Param::from_data(TensorData::new(vec![1f32; width], [width]), device), eps }
    }

    /// # Shapes
    /// `x [.., width]`; returns the same shape.
    pub fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        let mean_square = x.clone().square().mean_dim(D - 1);
        x * (mean_square + self.eps).sqrt().recip() * self.weight.val().unsqueeze()
    }
}
