//! A linear map whose weight lies as Hugging Face stores it.

use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// `y = x W^T + b`.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

impl Linear {
    /// A map with normally distributed weights (mean 0, deviation `std`) and zero bias, drawn on the host.
    pub fn init(
        input: usize,
        output: usize,
        bias: bool,
        std: f64,
        rng: &mut ChaCha8Rng,
        device: &Device,
    ) -> Self {
        Self {
            weight: normal([output, input], std, rng, device),
            bias: bias.then(|| Param::from_data(TensorData::new(vec![0f32; output], [output]), device)),
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

/// A parameter drawn from a normal distribution on the host: the same seed gives the same weights on every device.
pub fn normal(shape: [usize; 2], std: f64, rng: &mut ChaCha8Rng, device: &Device) -> Param<Tensor<2>> {
    let normal =
        Normal::new(0.0, std).unwrap_or_else(|_| panic!("standard deviation {std} is not a number >= 0"));
    let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| normal.sample(rng) as f32).collect();
    Param::from_data(TensorData::new(values, shape), device)
}
