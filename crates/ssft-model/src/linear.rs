//! A linear map whose weight lies as Hugging Face stores it.

use crate::initializer::Initializer;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `y = x W^T + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A map with normally distributed weights (mean 0, deviation `std`) and zero bias.
    pub fn init(
        input: usize,
        output: usize,
        bias: bool,
        std: f64,
        numbers: &mut Initializer,
        device: &Device,
    ) -> Self {
        Self {
            weight: numbers.normal([output, input], std, device),
            bias: bias.then(|| numbers.constant(output, 0.0, device)),
        }
    }

    /// # Shapes
    /// `x [tokens, in]`; returns `[tokens, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let y = ssft_kernels::linear(x, self.weight.val());
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }

    /// The same map, to be read by several passes without gradient.
    pub(crate) fn prepared(self) -> Self {
        Self { weight: self.weight.map(ssft_kernels::column_major), ..self }
    }

    /// `residual + forward(x)`.
    ///
    /// # Shapes
    /// `x [tokens, in]`, `residual [tokens, out]`; returns `[tokens, out]`.
    pub fn onto(&self, x: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        let y = ssft_kernels::linear_onto(x, self.weight.val(), residual);
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}
