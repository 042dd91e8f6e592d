//! The operations as WGSL, one host file an operation.

mod attention;
mod launch;
pub mod linear_nll;
pub mod optimizer;
pub mod plan;
mod quads;
mod rms_norm;
mod rotary;
mod swiglu;

use crate::extension::{Kernels, SavedAttention, SavedNll};
use crate::forest::Forest;
use crate::targets::Targets;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn_wgpu::{CubeBackend, CubeTensor};

impl Kernels for CubeBackend {
    fn nll_forward(hidden: CubeTensor, weight: CubeTensor, targets: Targets) -> [CubeTensor; 2] {
        linear_nll::forward(&linear_nll::Inputs::new(hidden, weight, targets))
    }

    fn nll_backward(
        saved: SavedNll<Self>,
        upstream: CubeTensor,
        wanted: [bool; 2],
    ) -> [Option<CubeTensor>; 2] {
        let inputs = linear_nll::Inputs::new(saved.hidden, saved.weight, saved.targets);
        linear_nll::backward(&inputs, saved.lse, upstream, wanted)
    }

    /// CubeCL's matrix products: nothing to fuse, and they know a GPU's matrix units.
    fn linear_forward(input: CubeTensor, weight: CubeTensor) -> CubeTensor {
        Self::float_matmul(input, Self::float_transpose(weight))
    }

    /// CubeCL's products read either layout as fast.
    fn prepared(weight: CubeTensor) -> CubeTensor {
        weight
    }

    fn linear_onto_forward(input: CubeTensor, weight: CubeTensor, residual: CubeTensor) -> CubeTensor {
        Self::float_add(Self::linear_forward(input, weight), residual)
    }

    fn linear_backward(
        inputs: [CubeTensor; 2],
        upstream: CubeTensor,
        wanted: [bool; 2],
    ) -> [Option<CubeTensor>; 2] {
        let [input, weight] = inputs;
        [
            wanted[0].then(|| Self::float_matmul(upstream.clone(), weight)),
            wanted[1].then(|| Self::float_matmul(Self::float_transpose(upstream), input)),
        ]
    }

    fn rms_norm_forward(input: CubeTensor, weight: CubeTensor, epsilon: f64) -> CubeTensor {
        rms_norm::forward(input, weight, epsilon)
    }

    fn rms_norm_backward(inputs: [CubeTensor; 2], epsilon: f64, upstream: CubeTensor) -> [CubeTensor; 2] {
        rms_norm::backward(inputs, epsilon, upstream)
    }

    fn turn(input: CubeTensor, angles: CubeTensor, back: bool) -> CubeTensor {
        rotary::turn(input, angles, back)
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
