//! The linear map and its gradients on the CPU: pieces of a matrix product, a core each.

use super::matrix::{Matrix, multiply};
use rayon::prelude::*;

/// Rows of one task.
const TASK_ROWS: usize = 128;

/// `input weight^T`.
///
/// # Shapes
/// `input [rows, width]`, `weight [out, width]`.
pub fn forward(input: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    product(Matrix::rows(input, width), Matrix::rows(weight, width).transpose())
}

/// Gradient of the input: `upstream weight`.
pub fn input_gradient(upstream: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let out = weight.len() / width;
    product(Matrix::rows(upstream, out), Matrix::rows(weight, width))
}

/// Gradient of the weight: `upstream^T input`.
pub fn weight_gradient(upstream: &[f32], input: &[f32], width: usize) -> Vec<f32> {
    let out = upstream.len() / (input.len() / width);
    product(Matrix::rows(upstream, out).transpose(), Matrix::rows(input, width))
}

/// `lhs rhs`, some rows at a time.
fn product(lhs: Matrix<'_>, rhs: Matrix<'_>) -> Vec<f32> {
    let ([rows, _], [_, columns]) = (lhs.dims(), rhs.dims());
    let mut output = vec![0.0; rows * columns];
    // Rows enough for every core; a task's share is the same whatever their number.
    let task = TASK_ROWS.min(rows.div_ceil(8).next_multiple_of(16));
    output.par_chunks_mut(task * columns).enumerate().for_each(|(index, output)| {
        multiply(output, lhs.some_rows(index * task, output.len() / columns), rhs, false);
    });
    output
}
