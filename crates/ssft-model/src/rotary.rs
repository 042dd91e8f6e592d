//! Rotary position embedding.

use burn::tensor::{Device, Tensor, TensorData};

/// Cosines and sines of one forward pass, shared by all layers.
///
/// Pair `i` of a head turns by `position * theta^(-2i / head_dim)`; the pair of dimension `i` is
/// `i + head_dim / 2`, as in Hugging Face's `rotate_half`. Source: arXiv 2104.09864.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// `[tokens, 1, head_dim / 2]`.
    cos: Tensor<3>,
    /// `[tokens, 1, head_dim / 2]`.
    sin: Tensor<3>,
}

impl Rotary {
    /// Angles for the given positions. They are computed on the host in f64: an angle of thousands of
    /// radians keeps its fraction, and every device gets the same numbers.
    pub fn at(positions: &[i32], head_dim: usize, theta: f64, device: &Device) -> Self {
        let half = head_dim / 2;
        let frequencies: Vec<f64> =
            (0..half).map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64)).collect();
        let angles = || positions.iter().flat_map(|&p| frequencies.iter().map(move |f| f64::from(p) * f));
        let upload =
            |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [positions.len(), 1, half]), device);
        Self {
            cos: upload(angles().map(|angle| angle.cos() as f32).collect()),
            sin: upload(angles().map(|angle| angle.sin() as f32).collect()),
        }
    }

    /// # Shapes
    /// `x [tokens, heads, head_dim]`; returns the same shape.
    pub fn turn(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, head_dim] = x.dims();
        let half = head_dim / 2;
        let first = x.clone().narrow(2, 0, half);
        let second = x.narrow(2, half, half);
        let (cos, sin) = (self.cos.clone(), self.sin.clone());
        Tensor::cat(
            vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin],
            2,
        )
    }
}
