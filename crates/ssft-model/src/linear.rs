//! Linear map with an optional bias.

use crate::initializer::Initializer;
use crate::weight::Weight;
use burn::module::{Module, Param};
use burn::tensor::{Device, Tensor};

/// `y = x W^T + b`. The weight has the orientation of Hugging Face's files.
#[derive(Module, Debug)]
pub struct Linear {
    /// `[out, in]`.
    pub weight: Weight,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
}

/// Whether a linear map has a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bias {
    /// `y = x W^T`.
    Absent,
    /// `y = x W^T + b`, `b` initially 0.
    Zero,
}

impl From<bool> for Bias {
    /// From a key of `config.json` such as `mlp_bias`.
    fn from(present: bool) -> Self {
        if present { Self::Zero } else { Self::Absent }
    }
}

impl Linear {
    /// A map of shape `[out, in]` with normally distributed weights of mean 0 and standard deviation `std`.
    pub fn init(shape: [usize; 2], bias: Bias, std: f64, numbers: &mut Initializer, device: &Device) -> Self {
        let weight = Weight::init(shape, std, numbers, device);
        let bias = match bias {
            Bias::Absent => None,
            Bias::Zero => Some(numbers.constant(shape[0], 0.0, device)),
        };
        Self { weight, bias }
    }

    /// # Shapes
    /// `x [tokens, in]`; returns `[tokens, out]`.
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.biased(self.weight.product(x))
    }

    /// `residual + forward(x)`.
    ///
    /// # Shapes
    /// `x [tokens, in]`, `residual [tokens, out]`; returns `[tokens, out]`.
    pub fn forward_onto(&self, x: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
        self.biased(self.weight.product_onto(x, residual))
    }

    /// The same map with its weight column by column.
    pub(crate) fn column_major(self) -> Self {
        Self { weight: self.weight.column_major(), ..self }
    }

    fn biased(&self, y: Tensor<2>) -> Tensor<2> {
        match &self.bias {
            Some(bias) => y + bias.val().unsqueeze(),
            None => y,
        }
    }
}
