//! Where the numbers of a new model come from.

use burn::module::{Param, ParamId};
use burn::tensor::{Device, Shape, Tensor, TensorData};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};

/// Gives parameters their first numbers.
#[derive(Debug)]
pub enum Initializer {
    /// Drawn on the host, in the order in which the model is built: a seed gives the same weights on every device.
    Random(Box<ChaCha8Rng>),
    /// From a file, once the model is laid out; nothing is allocated before.
    Later,
}

impl Initializer {
    /// A parameter drawn from a normal distribution with mean 0 and deviation `std`.
    ///
    /// # Panics
    /// If `std` is no number of at least 0.
    pub fn normal(&mut self, shape: [usize; 2], std: f64, device: &Device) -> Param<Tensor<2>> {
        let Self::Random(rng) = self else { return later(shape, device) };
        let normal =
            Normal::new(0.0, std).unwrap_or_else(|_| panic!("standard deviation {std} is not a number >= 0"));
        let values: Vec<f32> = (0..shape[0] * shape[1]).map(|_| normal.sample(rng) as f32).collect();
        Param::from_data(TensorData::new(values, shape), device)
    }

    /// A parameter that is `value` everywhere.
    pub fn constant(&self, size: usize, value: f32, device: &Device) -> Param<Tensor<1>> {
        match self {
            Self::Random(_) => Param::from_data(TensorData::new(vec![value; size], [size]), device),
            Self::Later => later([size], device),
        }
    }
}

/// A parameter of which only the shape is known; zeros, if somebody reads it before it is replaced.
fn later<const D: usize>(shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    let zeros = move |device: &Device, tracked: bool| {
        let zeros = Tensor::<D>::zeros(shape, device);
        if tracked { zeros.require_grad() } else { zeros }
    };
    Param::uninitialized(ParamId::new(), zeros, device.clone(), true, Shape::new(shape))
}
