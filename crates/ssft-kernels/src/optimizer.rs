//! Update of a parameter in one pass over it, and the sum of squares that a gradient norm needs. Neither has a gradient.

use crate::adamw_rule::{AdamW, Coefficients, Moments};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::tensor::Tensor;
use burn_wgpu::CubeBackend;

/// The operations as burn's dispatch calls them.
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

    /// Sum of the squares of all elements, `[1]`.
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

/// One update of a parameter and its moments, see [`AdamW`]. It is done in place if no other tensor shares their memory.
///
/// # Panics
/// If the shapes differ, or a tensor is tracked by autodiff.
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::{AdamW, Moments, adamw, sum_of_squares};
///
/// let device = Device::flex();
/// let parameter = Tensor::<1>::from_data([1.0f32, 1.0], &device);
/// let gradient = Tensor::<1>::from_data([3.0f32, -4.0], &device);
/// let norm: Vec<f32> = sum_of_squares(gradient.clone()).sqrt().into_data().try_to_vec().unwrap();
/// assert_eq!(norm, [5.0]);
///
/// let zeros = || Tensor::<1>::zeros([2], &device);
/// let moments = Moments { first: zeros(), second: zeros() };
/// let rule = AdamW {
///     rate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.0, scale: 1.0 / norm[0], time: 1,
/// };
/// let (parameter, _) = adamw(parameter, gradient, moments, &rule);
/// // The first update moves every number by the learning rate, against the sign of its gradient.
/// let parameter: Vec<f32> = parameter.into_data().try_to_vec().unwrap();
/// assert!((parameter[0] - 0.9).abs() < 1e-6 && (parameter[1] - 1.1).abs() < 1e-6);
/// ```
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

/// Sum of the squares of all elements, `[1]`.
pub fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    Tensor::from_dispatch(Dispatch::sum_of_squares(tensor.into_dispatch()))
}
