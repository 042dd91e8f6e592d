//! The AdamW rule and its coefficients.

use burn::tensor::Tensor;

/// One AdamW update of a parameter `p` with gradient `g` and moments `m`, `v`. Source: arXiv 1711.05101.
///
/// ```text
/// g' = scale g        m = beta1 m + (1 - beta1) g'        v = beta2 v + (1 - beta2) g'^2
/// p = (1 - rate weight_decay) p - rate (m / (1 - beta1^time)) / (sqrt(v / (1 - beta2^time)) + epsilon)
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    /// Learning rate.
    pub rate: f32,
    /// Decay of the first moment, in 0 .. 1.
    pub beta1: f32,
    /// Decay of the second moment, in 0 .. 1.
    pub beta2: f32,
    /// Term added to the square root of the second moment.
    pub epsilon: f32,
    /// Weight decay, relative to the learning rate.
    pub weight_decay: f32,
    /// Factor of the gradient, below 1 if the gradient is clipped.
    pub scale: f32,
    /// Number of this update, from 1.
    pub time: usize,
}

/// Running means of a parameter's gradient and of its square. Both have the shape of the parameter.
#[derive(Debug, Clone)]
pub struct Moments<const D: usize> {
    /// Mean of the gradient.
    pub first: Tensor<D>,
    /// Mean of the squared gradient.
    pub second: Tensor<D>,
}

/// The numbers of an update that are equal for all elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coefficients {
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub scale: f32,
    /// `1 - rate weight_decay`.
    pub keep: f32,
    /// `rate / (1 - beta1^time)`.
    pub rate: f32,
    /// `1 / (1 - beta2^time)`.
    pub unbias: f32,
}

impl AdamW {
    /// Coefficients of the update, computed in f64, because powers of the betas lose digits in f32.
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
