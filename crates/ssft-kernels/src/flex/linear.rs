//! The linear map and its gradients on the CPU: pieces of a matrix product, a core each.

use super::matrix::{Matrix, add_product, product};
use super::parallel::*;

/// Blocks of a product, if it is large enough; more than most machines have cores, and a number that many divide.
const TASKS: usize = 12;
/// A block has a multiple of so many rows: `gemm` takes 6 at a time.
const ROW_UNIT: usize = 48;
/// A block has at most so many rows, which stay in a core's cache.
const MOST_ROWS: usize = 20 * ROW_UNIT;
/// A block has a multiple of so many columns: `gemm` takes 16 or 32 at a time.
const COLUMN_UNIT: usize = 32;
/// Columns that are made rows at a time: two lines of the cache.
const TRANSPOSED: usize = 32;

/// `input weight^T`.
///
/// # Shapes
/// `input [rows, width]`, `weight [out, width]`.
pub fn forward(input: &[f32], weight: Matrix<'_>) -> Vec<f32> {
    let (lhs, rhs) = (Matrix::rows(input, weight.dims()[1]), weight.transpose());
    product(lhs, rhs, block(lhs, rhs))
}

/// `output += input weight^T`.
pub fn add(output: &mut [f32], input: &[f32], weight: Matrix<'_>) {
    let (lhs, rhs) = (Matrix::rows(input, weight.dims()[1]), weight.transpose());
    add_product(output, lhs, rhs, block(lhs, rhs));
}

/// A matrix of rows of `columns`, with rows and columns exchanged.
pub fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut output = vec![0.0; matrix.len()];
    output.par_chunks_mut(rows * TRANSPOSED).enumerate().for_each(|(index, output)| {
        // A line of the cache of each of some rows serves all columns of the task.
        let first = index * TRANSPOSED;
        for (row, values) in matrix.chunks_exact(columns).enumerate() {
            for (column, &value) in values[first..].iter().take(output.len() / rows).enumerate() {
                output[column * rows + row] = value;
            }
        }
    });
    output
}

/// Gradient of the input: `upstream weight`.
pub fn input_gradient(upstream: &[f32], weight: &[f32], width: usize) -> Vec<f32> {
    let out = weight.len() / width;
    let (lhs, rhs) = (Matrix::rows(upstream, out), Matrix::rows(weight, width));
    product(lhs, rhs, block(lhs, rhs))
}

/// Gradient of the weight: `upstream^T input`.
pub fn weight_gradient(upstream: &[f32], input: &[f32], width: usize) -> Vec<f32> {
    let out = upstream.len() / (input.len() / width);
    let (lhs, rhs) = (Matrix::rows(upstream, out).transpose(), Matrix::rows(input, width));
    product(lhs, rhs, block(lhs, rhs))
}

/// Size of the blocks of a product. It depends on the shape alone, so that the bits do not depend on the number of cores.
fn block(lhs: Matrix<'_>, rhs: Matrix<'_>) -> [usize; 2] {
    let ([rows, _], [_, columns]) = (lhs.dims(), rhs.dims());
    // `gemm` packs the weights for every block of rows anew: columns are cut first, as far as that goes.
    let down = rows.div_ceil(MOST_ROWS).max(1);
    let width = columns.div_ceil(TASKS.div_ceil(down)).next_multiple_of(COLUMN_UNIT);
    let down = TASKS.div_ceil(columns.div_ceil(width)).max(down);
    [rows.div_ceil(down).next_multiple_of(ROW_UNIT), width]
}
