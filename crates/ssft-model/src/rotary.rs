//! Angles of the rotary position embedding.

use burn::tensor::{Device, Tensor, TensorData};

/// Angles of one forward pass, shared by all layers, as [`ssft_kernels::rotary`] takes them.
///
/// Pair `i` of a head turns by `position * theta^(-2i / head_dim)`. Source: arXiv 2104.09864. They are computed on the
/// host in f64: an angle of thousands of radians keeps its fraction, and every device gets the same numbers.
///
/// # Shapes
/// Returns `[positions.len(), head_dim]`: cosines, then sines.
pub fn angles(positions: &[i32], head_dim: usize, theta: f64, device: &Device) -> Tensor<2> {
    let half = head_dim / 2;
    let frequencies: Vec<f64> = (0..half).map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64)).collect();
    let longest = positions.iter().copied().max().unwrap_or(0);
    let row = |position: i32| {
        let angles = frequencies.iter().map(move |frequency| f64::from(position) * frequency);
        angles.clone().map(|angle| angle.cos() as f32).chain(angles.map(|angle| angle.sin() as f32)).collect()
    };
    // Branches share positions: each is computed once.
    let rows: Vec<Vec<f32>> = (0..=longest).map(row).collect();
    let values: Vec<f32> = positions.iter().flat_map(|&position| &rows[position as usize]).copied().collect();
    Tensor::from_data(TensorData::new(values, [positions.len(), head_dim]), device)
}
