//! Host side of the `rms_norm*` shaders and of `column_sums.wgsl`.

use super::launch::{launch, one_lane_each, room, tensor, variant, word};
use crate::source::{COLUMN_SUMS, RMS_NORM, RMS_NORM_INPUT_GRADIENT, RMS_NORM_WEIGHT_GRADIENT};
use burn::cubecl::server::Handle;
use burn_wgpu::{CubeTensor, into_contiguous};

/// Columns of a workgroup of `rms_norm_weight_gradient.wgsl`.
const COLUMNS: usize = 64;
/// Fewest rows that a workgroup of `rms_norm_weight_gradient.wgsl` sums.
const LEAST_BLOCK: usize = 64;
/// Most blocks of rows, which `column_sums.wgsl` adds.
const MOST_BLOCKS: usize = 64;

/// `input [rows, width]`, `weight [width]`.
pub fn forward(input: CubeTensor, weight: CubeTensor, epsilon: f64) -> CubeTensor {
    let [input, weight] = [input, weight].map(into_contiguous);
    let [rows, width] = input.meta.shape().dims();
    let output = room(&input.client, rows * width);
    launch(
        &input.client,
        variant(RMS_NORM, &input.device),
        rows,
        &[&input.handle, &weight.handle, &output],
        &[width, word(epsilon as f32)],
    );
    tensor(&input, output, &[rows, width])
}

/// Gradients of input and weight.
pub fn backward(inputs: [CubeTensor; 2], epsilon: f64, upstream: CubeTensor) -> [CubeTensor; 2] {
    let [input, weight] = inputs.map(into_contiguous);
    let upstream = into_contiguous(upstream);
    let [rows, width] = input.meta.shape().dims();
    let client = &input.client;
    let (of_input, scales) = (room(client, rows * width), room(client, rows));
    launch(
        client,
        variant(RMS_NORM_INPUT_GRADIENT, &input.device),
        rows,
        &[&input.handle, &weight.handle, &upstream.handle, &of_input, &scales],
        &[width, word(epsilon as f32)],
    );
    let block_rows = rows.div_ceil(MOST_BLOCKS).max(LEAST_BLOCK);
    let (blocks, column_tiles) = (rows.div_ceil(block_rows), width.div_ceil(COLUMNS));
    let parts = room(client, blocks * width);
    launch(
        client,
        variant(RMS_NORM_WEIGHT_GRADIENT, &input.device),
        blocks * column_tiles,
        &[&input.handle, &upstream.handle, &scales, &parts],
        &[rows, width, block_rows, column_tiles],
    );
    let of_weight = if blocks == 1 { parts } else { sum_of_blocks(&input, &parts, [blocks, width]) };
    [tensor(&input, of_input, &[rows, width]), tensor(&weight, of_weight, &[width])]
}

fn sum_of_blocks(like: &CubeTensor, parts: &Handle, dims: [usize; 2]) -> Handle {
    let sums = room(&like.client, dims[1]);
    let shader = variant(COLUMN_SUMS, &like.device);
    launch(&like.client, shader, one_lane_each(shader, dims[1]), &[parts, &sums], &dims);
    sums
}
