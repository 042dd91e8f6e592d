//! Angles of the rotary position embedding.

use crate::config::DecoderConfig;
use burn::tensor::{Device, Tensor, TensorData};

/// Angles of one forward pass, shared by all layers, as [`ssft_kernels::rotary`] takes them.
///
/// Pair `i` of a head turns by `position * frequency[i]`, which is `theta^(-2i / head_dim)` unless the model scales it
/// ([`crate::rope_scaling`]). Source: arXiv 2104.09864. They are computed on the host in f64: an angle of thousands of
/// radians keeps its fraction, and every device gets the same numbers.
///
/// # Shapes
/// Returns `[positions.len(), head_dim]`: cosines, then sines.
pub fn angles(positions: &[i32], config: &DecoderConfig, device: &Device) -> Tensor<2> {
    let (head_dim, scaling) = (config.head_dim, config.rope_scaling);
    let frequencies = scaling.frequencies(config.rope_theta, head_dim);
    let size = scaling.attention_factor();
    let longest = positions.iter().copied().max().unwrap_or(0);
    let row = |position: i32| {
        let angles = frequencies.iter().map(move |frequency| f64::from(position) * frequency);
        let (cosines, sines) = (angles.clone().map(f64::cos), angles.map(f64::sin));
        cosines.chain(sines).map(|value| (value * size) as f32).collect()
    };
    // Branches share positions: each is computed once.
    let rows: Vec<Vec<f32>> = (0..=longest).map(row).collect();
    let values: Vec<f32> = positions.iter().flat_map(|&position| &rows[position as usize]).copied().collect();
    Tensor::from_data(TensorData::new(values, [positions.len(), head_dim]), device)
}
