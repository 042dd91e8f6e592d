//! The operations on a GPU: one host file per operation, which launches its shaders.

mod attention;
mod launch;
mod linear_nll;
pub mod optimizer;
mod plan;
mod quads;
mod rms_norm;
mod rotary;
mod swiglu;

use crate::extension::{Kernels, Rotation, SavedAttention, SavedNll, Wanted};
use crate::forest::Forest;
use crate::targets::Targets;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_wgpu::{CubeBackend, CubeTensor};

impl Kernels for CubeBackend {
    fn nll_forward(hidden: CubeTensor, weight: CubeTensor, targets: Targets) -> [CubeTensor; 2] {
        linear_nll::forward(&linear_nll::Inputs::new(hidden, weight, targets))
    }

    fn nll_backward(saved: SavedNll<Self>, upstream: CubeTensor, wanted: Wanted) -> [Option<CubeTensor>; 2] {
        let inputs = linear_nll::Inputs::new(saved.hidden, saved.weight, saved.targets);
        linear_nll::backward(&inputs, saved.lse, upstream, wanted)
    }

    /// CubeCL's matrix products, which use the matrix units of a GPU. There is nothing to fuse with them.
    fn linear_forward(input: CubeTensor, weight: CubeTensor) -> CubeTensor {
        Self::float_matmul(input, Self::float_transpose(weight))
    }

    /// CubeCL's products read both layouts at the same speed.
    fn prepared(weight: CubeTensor) -> CubeTensor {
        weight
    }

    fn linear_onto_forward(input: CubeTensor, weight: CubeTensor, residual: CubeTensor) -> CubeTensor {
        Self::float_add(Self::linear_forward(input, weight), residual)
    }

    fn linear_backward(
        inputs: [CubeTensor; 2],
        upstream: CubeTensor,
        wanted: Wanted,
    ) -> [Option<CubeTensor>; 2] {
        let [input, weight] = inputs;
        [
            wanted.input.then(|| Self::float_matmul(upstream.clone(), weight)),
            wanted.weight.then(|| Self::float_matmul(Self::float_transpose(upstream), input)),
        ]
    }

    fn rms_norm_forward(input: CubeTensor, weight: CubeTensor, epsilon: f64) -> CubeTensor {
        rms_norm::forward(input, weight, epsilon)
    }

    fn rms_norm_backward(inputs: [CubeTensor; 2], epsilon: f64, upstream: CubeTensor) -> [CubeTensor; 2] {
        rms_norm::backward(inputs, epsilon, upstream)
    }

    fn rotate(input: CubeTensor, angles: CubeTensor, rotation: Rotation) -> CubeTensor {
        rotary::rotate(input, angles, rotation)
    }

    fn swiglu_forward(gate: CubeTensor, up: CubeTensor) -> CubeTensor {
        swiglu::forward(gate, up)
    }

    fn swiglu_backward(inputs: [CubeTensor; 2], upstream: CubeTensor) -> [CubeTensor; 2] {
        swiglu::backward(inputs, upstream)
    }

    fn attention_forward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        forest: &Forest,
    ) -> [CubeTensor; 2] {
        attention::forward([query, key, value], forest)
    }

    fn attention_backward(saved: SavedAttention<Self>, upstream: CubeTensor) -> [CubeTensor; 3] {
        attention::backward(saved, upstream)
    }
}
