//! The linear map and its gradients on the CPU: matrix products in blocks, one thread per block.

use super::matrix::{Matrix, add_product, product};
use super::parallel::*;

/// Number of blocks of a large product: more than most machines have cores, with many divisors.
const TASKS: usize = 12;
/// The rows of a block are a multiple of this number, because `gemm` computes 6 rows at a time.
const ROW_UNIT: usize = 48;
/// Most rows of a block, so that they stay in the cache of a core.
const MOST_ROWS: usize = 20 * ROW_UNIT;
/// The columns of a block are a multiple of this number, because `gemm` computes 16 or 32 columns at a time.
const COLUMN_UNIT: usize = 32;
/// Columns that a task transposes: two cache lines of each row.
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

/// The transpose of a row-major matrix with `columns` columns.
pub fn transposed(matrix: &[f32], columns: usize) -> Vec<f32> {
    let rows = matrix.len() / columns;
    let mut output = vec![0.0; matrix.len()];
    output.par_chunks_mut(rows * TRANSPOSED).enumerate().for_each(|(index, output)| {
        // Two cache lines of a row serve all columns of the task.
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

/// Rows and columns of the blocks of a product. They depend on its shape only, so that results have the same bits with any
/// number of cores.
fn block(lhs: Matrix<'_>, rhs: Matrix<'_>) -> [usize; 2] {
    let ([rows, _], [_, columns]) = (lhs.dims(), rhs.dims());
    // `gemm` packs the weights again for every block of rows, so the columns are cut first.
    let down = rows.div_ceil(MOST_ROWS).max(1);
    let width = columns.div_ceil(TASKS.div_ceil(down)).next_multiple_of(COLUMN_UNIT);
    let down = TASKS.div_ceil(columns.div_ceil(width)).max(down);
    [rows.div_ceil(down).next_multiple_of(ROW_UNIT), width]
}
