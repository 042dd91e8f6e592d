//! The operations on the CPU, as a device of burn: tiles in the cache of a core, on all cores.

mod attention;
mod exponential;
mod linear;
mod linear_nll;
mod matrix;
pub mod optimizer;
mod parallel;
mod rms_norm;
mod rotary;
mod single_query;
mod swiglu;
mod tensors;
mod wide;

use crate::extension::{Kernels, Rotation, SavedAttention, SavedNll, Wanted};
use crate::forest::Forest;
use crate::targets::Targets;
use burn::backend::flex::FlexTensor;
use burn::backend::{Flex, TensorMetadata};
use tensors::{is_whole, matrix, readable, tensor, vector, writable};

impl Kernels for Flex {
    fn nll_forward(hidden: FlexTensor, weight: FlexTensor, targets: Targets) -> [FlexTensor; 2] {
        let (hidden, weight) = (hidden.to_contiguous(), weight.to_contiguous());
        let (nll, lse) = linear_nll::forward(nll_inputs(&hidden, &weight, &targets));
        [vector(nll), vector(lse)]
    }

    fn nll_backward(saved: SavedNll<Self>, upstream: FlexTensor, wanted: Wanted) -> [Option<FlexTensor>; 2] {
        let (hidden, weight) = (saved.hidden.to_contiguous(), saved.weight.to_contiguous());
        let [lse, upstream] = [saved.lse.to_contiguous(), upstream.to_contiguous()];
        // `FlexTensor::zeros` would copy its memory to align it.
        let zeros = |like: &FlexTensor| {
            let shape = like.shape();
            tensor(vec![0f32; shape.num_elements()], shape)
        };
        let mut gradients = [wanted.input.then(|| zeros(&hidden)), wanted.weight.then(|| zeros(&weight))];
        let [hidden_gradient, weight_gradient] = &mut gradients;
        let into = linear_nll::Gradients {
            hidden: hidden_gradient.as_mut().map(FlexTensor::storage_mut),
            weight: weight_gradient.as_mut().map(FlexTensor::storage_mut),
        };
        let inputs = nll_inputs(&hidden, &weight, &saved.targets);
        linear_nll::backward(inputs, lse.storage(), upstream.storage(), into);
        gradients
    }

    fn linear_forward(input: FlexTensor, weight: FlexTensor) -> FlexTensor {
        let (input, weight) = (input.to_contiguous(), readable(weight));
        let ([rows, _], [out, _]) = (input.shape().dims::<2>(), weight.shape().dims::<2>());
        tensor(linear::forward(input.storage(), matrix(&weight)), [rows, out])
    }

    fn prepared(weight: FlexTensor) -> FlexTensor {
        let weight = weight.to_contiguous();
        let [out, width] = weight.shape().dims();
        tensor(linear::transposed(weight.storage(), width), [width, out]).transpose(0, 1)
    }

    fn linear_onto_forward(input: FlexTensor, weight: FlexTensor, residual: FlexTensor) -> FlexTensor {
        let (input, weight) = (input.to_contiguous(), readable(weight));
        let mut output = writable(residual);
        linear::add(output.storage_mut(), input.storage(), matrix(&weight));
        output
    }

    fn linear_backward(
        inputs: [FlexTensor; 2],
        upstream: FlexTensor,
        wanted: Wanted,
    ) -> [Option<FlexTensor>; 2] {
        let ([input, weight], upstream) =
            (inputs.map(|tensor| tensor.to_contiguous()), upstream.to_contiguous());
        let ([_, width], upstream) = (input.shape().dims(), upstream.storage());
        let of_input = || linear::input_gradient(upstream, weight.storage(), width);
        let of_weight = || linear::weight_gradient(upstream, input.storage(), width);
        [
            wanted.input.then(|| tensor(of_input(), input.shape())),
            wanted.weight.then(|| tensor(of_weight(), weight.shape())),
        ]
    }

    fn rms_norm_forward(input: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
        let [input, weight] = [input, weight].map(|tensor| tensor.to_contiguous());
        tensor(rms_norm::forward(input.storage(), weight.storage(), epsilon), input.shape())
    }

    fn rms_norm_backward(inputs: [FlexTensor; 2], epsilon: f64, upstream: FlexTensor) -> [FlexTensor; 2] {
        let [input, weight, upstream] =
            [inputs[0].clone(), inputs[1].clone(), upstream].map(|tensor| tensor.to_contiguous());
        let found = rms_norm::backward(input.storage(), weight.storage(), epsilon, upstream.storage());
        let [of_input, of_weight] = found;
        [tensor(of_input, input.shape()), tensor(of_weight, weight.shape())]
    }

    fn rotate(input: FlexTensor, angles: FlexTensor, rotation: Rotation) -> FlexTensor {
        let (mut rotated, angles) = (writable(input), angles.to_contiguous());
        let [_, heads, head_dim] = rotated.shape().dims();
        rotary::rotate(rotated.storage_mut(), angles.storage(), head_dim, heads, rotation);
        rotated
    }

    fn swiglu_forward(gate: FlexTensor, up: FlexTensor) -> FlexTensor {
        let (gate, mut up) = (gate.to_contiguous(), up);
        // Without a backward pass no other tensor shares the memory of `up`.
        if is_whole(&up)
            && let Some(up_values) = up.try_storage_mut()
        {
            swiglu::forward_in_place(gate.storage(), up_values);
            return up;
        }
        tensor(swiglu::forward(gate.storage(), up.to_contiguous().storage()), gate.shape())
    }

    fn swiglu_backward(inputs: [FlexTensor; 2], upstream: FlexTensor) -> [FlexTensor; 2] {
        let ([gate, up], upstream) = (inputs.map(|tensor| tensor.to_contiguous()), upstream.to_contiguous());
        swiglu::backward(gate.storage(), up.storage(), upstream.storage())
            .map(|gradient| tensor(gradient, gate.shape()))
    }

    fn attention_forward(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        forest: &Forest,
    ) -> [FlexTensor; 2] {
        let [query, key, value] = [query, key, value].map(|tensor| tensor.to_contiguous());
        let (output, lse) = attention::forward(attention_inputs([&query, &key, &value], forest));
        let [queries, heads, _] = query.shape().dims();
        [tensor(output, query.shape()), tensor(lse, [queries, heads])]
    }

    fn attention_backward(saved: SavedAttention<Self>, upstream: FlexTensor) -> [FlexTensor; 3] {
        let SavedAttention { query, key, value, forest, output, lse } = saved;
        let [query, key, value, output, lse, upstream] =
            [query, key, value, output, lse, upstream].map(|tensor| tensor.to_contiguous());
        let inputs = attention_inputs([&query, &key, &value], &forest);
        let saved =
            attention::Saved { output: output.storage(), lse: lse.storage(), upstream: upstream.storage() };
        let [of_query, of_key, of_value] = attention::backward(inputs, saved);
        [tensor(of_query, query.shape()), tensor(of_key, key.shape()), tensor(of_value, value.shape())]
    }
}

fn nll_inputs<'a>(
    hidden: &'a FlexTensor,
    weight: &'a FlexTensor,
    targets: &'a Targets,
) -> linear_nll::Inputs<'a> {
    linear_nll::Inputs {
        hidden: hidden.storage(),
        weight: weight.storage(),
        width: weight.shape()[1],
        targets,
    }
}

fn attention_inputs<'a>(
    [query, key, value]: [&'a FlexTensor; 3],
    forest: &'a Forest,
) -> attention::Inputs<'a> {
    let ([_, heads, head_dim], [_, kv_heads, _]) = (query.shape().dims(), key.shape().dims());
    attention::Inputs {
        query: query.storage(),
        key: key.storage(),
        value: value.storage(),
        heads,
        kv_heads,
        head_dim,
        forest,
    }
}
