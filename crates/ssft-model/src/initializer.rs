//! Source of the first values of a model's parameters.

use crate::config::DecoderConfig;
use burn::module::{Param, ParamId};
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Standard deviation of initial embeddings.
pub(crate) const EMBEDDING_STD: f64 = 0.02;

/// Standard deviation of initial weights that read the residual stream: a normed input of variance 1 gives an output of
/// variance 1.
pub(crate) fn input_std(config: &DecoderConfig) -> f64 {
    (config.hidden_size as f64).powf(-0.5)
}

/// Standard deviation of initial weights that write to the residual stream: all layers together add a variance that does
/// not depend on their number. Source: GPT-2, section 2.3.
pub(crate) fn residual_std(config: &DecoderConfig) -> f64 {
    input_std(config) / (2.0 * config.num_hidden_layers as f64).sqrt()
}

/// Gives parameters their first values.
#[derive(Debug)]
pub enum Initializer {
    /// Random values, drawn on the host in the order in which the model is built, so that a seed gives the same weights
    /// on every device.
    Random(Box<ChaCha8Rng>),
    /// No values yet: a parameter has a shape, and is allocated when it is replaced by one from a file.
    Deferred,
}

impl Initializer {
    /// A matrix drawn from a normal distribution with mean 0 and standard deviation `std`.
    ///
    /// # Panics
    /// If `std` is negative or not a number.
    pub fn normal(&mut self, shape: [usize; 2], std: f64, device: &Device) -> Param<Tensor<2>> {
        let Self::Random(rng) = self else { return deferred(shape, device) };
        let normal =
            Normal::new(0.0, std).unwrap_or_else(|_| panic!("standard deviation {std} is not a number >= 0"));
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| normal.sample(rng) as f32).collect();
        Param::from_data(TensorData::new(values, shape), device)
    }

    /// A vector whose elements are all `value`.
    pub fn constant(&self, size: usize, value: f32, device: &Device) -> Param<Tensor<1>> {
        match self {
            Self::Random(_) => Param::from_data(TensorData::new(vec![value; size], [size]), device),
            Self::Deferred => deferred([size], device),
        }
    }
}

/// A parameter that is not allocated; its value is 0 if it is read before it is replaced.
fn deferred<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let zeros = move |device: &Device, tracked: bool| {
        let zeros = Tensor::<D>::zeros(shape, device);
        if tracked { zeros.require_grad() } else { zeros }
    };
    Param::uninitialized(ParamId::new(), zeros, device.clone(), true, Shape::new(shape))
}
