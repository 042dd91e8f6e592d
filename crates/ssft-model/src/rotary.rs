//! Angles of the rotary position embedding.

use crate::config::DecoderConfig;
use burn::tensor::{Device, Tensor, TensorData};

/// Cosines and sines of one forward pass, shared by all layers, in the form that [`ssft_kernels::rotary`] takes.
///
/// Pair `i` of a head turns by `position * frequency[i]`, where `frequency[i]` is `theta^(-2i / head_dim)`, scaled by
/// [`crate::rope_scaling`]. Source: arXiv 2104.09864. Angles are computed on the host in f64: large angles keep their
/// fraction, and all devices get the same numbers.
///
/// # Shapes
/// Returns `[positions.len(), head_dim]`: per token first the cosines, then the sines.
pub fn angles(positions: &[u32], config: &DecoderConfig, device: &Device) -> Tensor<2> {
    let (head_dim, scaling) = (config.head_dim, config.rope_scaling);
    let frequencies = scaling.frequencies(config.rope_theta, head_dim);
    let size = scaling.attention_factor();
    let longest = positions.iter().copied().max().unwrap_or(0);
    let row = |position: u32| {
        let angles = frequencies.iter().map(move |frequency| f64::from(position) * frequency);
        let (cosines, sines) = (angles.clone().map(f64::cos), angles.map(f64::sin));
        cosines.chain(sines).map(|value| (value * size) as f32).collect()
    };
    // Branches of a tree have the same positions; each position is computed once.
    let rows: Vec<Vec<f32>> = (0..=longest).map(row).collect();
    let values: Vec<f32> = positions.iter().flat_map(|&position| &rows[position as usize]).copied().collect();
    Tensor::from_data(TensorData::new(values, [positions.len(), head_dim]), device)
}
