//! The update of a parameter, in one pass over it. Nothing here is tracked: an update has no gradient.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_wgpu::CubeBackend;

/// One AdamW update of a parameter `p` with gradient `g` and moments `m`, `v`. Source: arXiv 1711.05101.
///
/// ```text
/// g' = scale g        m = beta1 m + (1 - beta1) g'        v = beta2 v + (1 - beta2) g'^2
/// p = (1 - rate decay) p - rate (m / (1 - beta1^time)) / (sqrt(v / (1 - beta2^time)) + epsilon)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub epsilon: f32,
    /// Decay of the parameter, times the learning rate.
    pub weight_decay: f32,
    /// What the gradient is multiplied with: clipping.
    pub scale: f32,
    /// Number of this update, from 1.
    pub time: usize,
}

/// Running means of a parameter's gradient and of its square, of the parameter's shape.
#[derive(Debug, Clone)]
pub struct Moments<const D: usize> {
    /// Of the gradient.
    pub first: Tensor<D>,
    /// Of its square.
    pub second: Tensor<D>,
}

/// The numbers of an update that are the same for all elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub scale: f32,
    /// `1 - rate decay`.
    pub keep: f32,
    /// `rate / (1 - beta1^time)`.
    pub rate: f32,
    /// `1 / (1 - beta2^time)`.
    pub unbias: f32,
}

impl AdamW {
    /// Computed once in f64: the powers of the betas lose digits in f32.
    pub(crate) fn coefficients(&self) -> Coefficients {
        let unbias = |beta: f32| 1.0 / (1.0 - f64::from(beta).powf(self.time as f64));
        Coefficients {
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            scale: self.scale,
            keep: (1.0 - f64::from(self.rate) * f64::from(self.weight_decay)) as f32,
            rate: (f64::from(self.rate) * unbias(self.beta1)) as f32,
            unbias: unbias(self.beta2) as f32,
        }
    }
}

/// What the rest of burn calls.
#[backend_extension(Cube, Flex)]
pub trait OptimizerOps: Backend {
    /// Parameter, first and second moment after an update.
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);

    /// `[1]`: sum of the squares of all elements.
    fn sum_of_squares(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl OptimizerOps for CubeBackend {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::wgpu::optimizer::adamw(parameter, gradient, first, second, coefficients)
    }

    fn sum_of_squares(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        crate::wgpu::optimizer::sum_of_squares(tensor)
    }
}

impl OptimizerOps for Flex {
    fn adamw(
        parameter: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        coefficients: Coefficients,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        crate::flex::optimizer::adamw(parameter, gradient, first, second, coefficients)
    }

    fn sum_of_squares(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        crate::flex::optimizer::sum_of_squares(&tensor)
    }
}

/// One update of a parameter and its moments, in place where nobody else holds them. See [`AdamW`].
///
/// # Panics
/// If the shapes differ, or a tensor is tracked by autodiff.
pub fn adamw<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: Moments<D>,
    rule: &AdamW,
) -> (Tensor<D>, Moments<D>) {
    let dims = parameter.dims();
    for other in [&gradient, &moments.first, &moments.second] {
        assert_eq!(dims, other.dims(), "adamw: a parameter {dims:?} against {:?}", other.dims());
    }
    let (parameter, first, second) = Dispatch::adamw(
        parameter.into_dispatch(),
        gradient.into_dispatch(),
        moments.first.into_dispatch(),
        moments.second.into_dispatch(),
        rule.coefficients(),
    );
    let moments = Moments { first: Tensor::from_dispatch(first), second: Tensor::from_dispatch(second) };
    (Tensor::from_dispatch(parameter), moments)
}

/// `[1]`: the sum of the squares of all elements.
pub fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::sum_of_squares(tensor.into_dispatch()))
}
