//! Host side of `rotary.wgsl`.

use super::launch::{launch, one_lane_each, room, tensor, variant, word};
use crate::extension::Rotation;
use crate::source::ROTARY;
use burn_wgpu::{CubeTensor, into_contiguous};

/// `input [tokens, heads, head_dim]`, `angles [tokens, head_dim]`.
pub fn rotate(input: CubeTensor, angles: CubeTensor, rotation: Rotation) -> CubeTensor {
    let [input, angles] = [input, angles].map(into_contiguous);
    let [tokens, heads, head_dim] = input.meta.shape().dims();
    let (half, pairs) = (head_dim / 2, tokens * heads * head_dim / 2);
    let output = room(&input.client, 2 * pairs);
    let shader = variant(ROTARY, &input.device);
    launch(
        &input.client,
        shader,
        one_lane_each(shader, pairs),
        &[&input.handle, &angles.handle, &output],
        &[pairs, heads, half, word(rotation.sign())],
    );
    tensor(&input, output, &[tokens, heads, head_dim])
}
