//! The linear map and its gradients on the CPU: pieces of a matrix product, a core each.

use super::matrix::{Matrix, multiply};
use rayon::prelude::*;

/// Tasks of a product, if it has rows enough; more than most machines have cores, and a number that many divide.
const TASKS: usize = 12;
/// A task has a multiple of so many rows: `gemm` takes 6 at a time.
const TASK_UNIT: usize = 48;
/// A task has at most so many rows, which stay in a core's cache.
const MOST_ROWS: usize = 10 * TASK_UNIT;

/// `input weight^T`.
///
/// # Shapes
/// `input [rows, width]`, `weight [out, width]`.
pub fn forward(input: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    product(Matrix::rows(input, width), Matrix::rows(weight, width).transpose())
}

/// `output += input weight^T`.
pub fn add(output: &mut [f32], input: &[f32], weight: &[f32], width: usize) {
    product_into(output, Matrix::rows(input, width), Matrix::rows(weight, width).transpose(), true);
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
    product_into(&mut output, lhs, rhs, false);
    output
}

/// `output = lhs rhs`, or `output += lhs rhs` if `accumulate`, some rows at a time.
fn product_into(output: &mut [f32], lhs: Matrix<'_>, rhs: Matrix<'_>, accumulate: bool) {
    let ([rows, _], [_, columns]) = (lhs.dims(), rhs.dims());
    // The cut depends on the shape alone, so that the bits do not depend on the number of cores.
    let task = rows.div_ceil(TASKS).next_multiple_of(TASK_UNIT).min(MOST_ROWS);
    output.par_chunks_mut(task * columns).enumerate().for_each(|(index, output)| {
        multiply(output, lhs.some_rows(index * task, output.len() / columns), rhs, accumulate);
    });
}
