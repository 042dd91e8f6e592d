//! Host side of `rotary.wgsl`.

use super::launch::{lane_tile, launch, room, tensor, word};
use crate::source::ROTARY;
use burn_wgpu::{CubeTensor, into_contiguous};

/// `input [tokens, heads, head_dim]`, `angles [tokens, head_dim]`.
pub fn turn(input: CubeTensor, angles: CubeTensor, back: bool) -> CubeTensor {
    let [input, angles] = [input, angles].map(into_contiguous);
    let [tokens, heads, head_dim] = input.meta.shape().dims();
    let (half, pairs) = (head_dim / 2, tokens * heads * head_dim / 2);
    let output = room(&input.client, 2 * pairs);
    launch(
        &input.client,
        (ROTARY, lane_tile(&input.device)),
        pairs.div_ceil(ROTARY.lanes as usize),
        &[&input.handle, &angles.handle, &output],
        &[pairs, heads, half, word(if back { -1.0 } else { 1.0 })],
    );
    tensor(&input, output, &[tokens, heads, head_dim])
}
