//! Host side of `swiglu.wgsl` and `swiglu_gradient.wgsl`.

use super::launch::{launch, one_lane_each, room, tensor, variant};
use crate::source::{SWIGLU, SWIGLU_GRADIENT};
use burn_wgpu::{CubeTensor, into_contiguous};

/// `gate [rows, width]`, `up [rows, width]`.
pub fn forward(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
    let [gate, up] = [gate, up].map(into_contiguous);
    let (dims, count) = size(&gate);
    let output = room(&gate.client, count);
    let shader = variant(SWIGLU, &gate.device);
    launch(
        &gate.client,
        shader,
        one_lane_each(shader, count),
        &[&gate.handle, &up.handle, &output],
        &[count],
    );
    tensor(&gate, output, &dims)
}

/// Gradients of gate and up.
pub fn backward(inputs: [CubeTensor; 2], upstream: CubeTensor) -> [CubeTensor; 2] {
    let ([gate, up], upstream) = (inputs.map(into_contiguous), into_contiguous(upstream));
    let (dims, count) = size(&gate);
    let (of_gate, of_up) = (room(&gate.client, count), room(&gate.client, count));
    let shader = variant(SWIGLU_GRADIENT, &gate.device);
    launch(
        &gate.client,
        shader,
        one_lane_each(shader, count),
        &[&gate.handle, &up.handle, &upstream.handle, &of_gate, &of_up],
        &[count],
    );
    [of_gate, of_up].map(|gradient| tensor(&gate, gradient, &dims))
}

fn size(tensor: &CubeTensor) -> ([usize; 2], usize) {
    let dims: [usize; 2] = tensor.meta.shape().dims();
    (dims, dims[0] * dims[1])
}
