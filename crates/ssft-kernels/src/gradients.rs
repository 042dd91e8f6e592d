//! Gradients of the operations on any device: burn's autodiff with the backward passes of this crate.

use crate::extension::{KernelOps, Kernels, Rotation, SavedAttention, SavedNll, Wanted};
use crate::forest::Forest;
use crate::targets::Targets;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, TensorMetadata};

impl<B: Kernels, C: CheckpointStrategy> KernelOps for Autodiff<B, C> {
    fn linear_nll(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self> {
        let nodes = [hidden.node(), weight.node()];
        let (hidden, weight) = (hidden.into_primitive(), weight.into_primitive());
        match NllBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                targets.assert_one_a_row();
                let [nll, lse] = B::nll_forward(hidden.clone(), weight.clone(), targets.clone());
                prepared.finish(SavedNll { hidden, weight, targets, lse }, nll)
            }
            OpsKind::UnTracked(prepared) => {
                let [nll, _] = B::nll_forward(hidden, weight, targets);
                prepared.finish(nll)
            }
        }
    }

    fn linear(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node()];
        let (input, weight) = (input.into_primitive(), weight.into_primitive());
        let output = B::linear_forward(input.clone(), weight.clone());
        match LinearBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([input, weight], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    /// A tracked weight keeps its layout, because the next update changes it.
    fn column_major(weight: FloatTensor<Self>) -> FloatTensor<Self> {
        weight
    }

    fn linear_onto(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node(), residual.node()];
        let (input, weight, residual) =
            (input.into_primitive(), weight.into_primitive(), residual.into_primitive());
        match LinearOntoBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = B::linear_onto_forward(input.clone(), weight.clone(), residual);
                prepared.finish([input, weight], output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::linear_onto_forward(input, weight, residual)),
        }
    }

    fn rms_norm(input: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self> {
        let nodes = [input.node(), weight.node()];
        let (input, weight) = (input.into_primitive(), weight.into_primitive());
        let output = B::rms_norm_forward(input.clone(), weight.clone(), epsilon);
        match NormBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(([input, weight], epsilon), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn rotary(input: FloatTensor<Self>, angles: FloatTensor<Self>) -> FloatTensor<Self> {
        let angles = angles.into_primitive();
        match RotaryBackward.prepare::<C>([input.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let output = B::rotate(input.into_primitive(), angles.clone(), Rotation::Forward);
                prepared.finish(angles, output)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(B::rotate(input.into_primitive(), angles, Rotation::Forward))
            }
        }
    }

    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
        let nodes = [gate.node(), up.node()];
        let (gate, up) = (gate.into_primitive(), up.into_primitive());
        let output = B::swiglu_forward(gate.clone(), up.clone());
        match SwigluBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish([gate, up], output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn tree_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        forest: Forest,
    ) -> FloatTensor<Self> {
        let nodes = [query.node(), key.node(), value.node()];
        let (query, key, value) = (query.into_primitive(), key.into_primitive(), value.into_primitive());
        let [output, lse] = B::attention_forward(query.clone(), key.clone(), value.clone(), &forest);
        match AttentionBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let packed = forest.trees().is_some() && key.shape()[0] == forest.keys();
                assert!(packed, "tree_attention: a gradient takes keys tree by tree, and no others");
                let saved = SavedAttention { query, key, value, forest, output: output.clone(), lse };
                prepared.finish(saved, output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

/// Consumes the gradient of an operation's result and registers the gradients that `work` computes, each for its input.
/// `work` is told which inputs are tracked.
fn pass_back<B: Backend, S, const N: usize>(
    ops: Ops<S, N>,
    gradients: &mut Gradients,
    work: impl FnOnce(S, FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N],
) {
    let upstream = gradients.consume::<B>(&ops.node);
    let wanted = ops.parents.each_ref().map(Option::is_some);
    let found = work(ops.state, upstream, wanted);
    for (parent, gradient) in ops.parents.into_iter().zip(found) {
        if let (Some(parent), Some(gradient)) = (parent, gradient) {
            gradients.register::<B>(parent.id, gradient);
        }
    }
}

/// A backward pass of an operation with `$inputs` inputs, from the saved `$state`.
macro_rules! backward {
    ($name:ident, $inputs:literal, $state:ty, $work:expr) => {
        #[derive(Debug)]
        struct $name;

        impl<B: Kernels> Backward<B, $inputs> for $name {
            type State = $state;

            fn backward(
                self,
                ops: Ops<Self::State, $inputs>,
                gradients: &mut Gradients,
                _checkpointer: &mut Checkpointer,
            ) {
                pass_back::<B, _, $inputs>(ops, gradients, $work);
            }
        }
    };
}

backward!(NllBackward, 2, SavedNll<B>, |saved, upstream, [input, weight]| {
    B::nll_backward(saved, upstream, Wanted { input, weight })
});
backward!(LinearBackward, 2, [FloatTensor<B>; 2], |inputs, upstream, [input, weight]| {
    B::linear_backward(inputs, upstream, Wanted { input, weight })
});
backward!(LinearOntoBackward, 3, [FloatTensor<B>; 2], |inputs, upstream, [input, weight, residual]| {
    let [of_input, of_weight] = B::linear_backward(inputs, upstream.clone(), Wanted { input, weight });
    [of_input, of_weight, residual.then_some(upstream)]
});
backward!(NormBackward, 2, ([FloatTensor<B>; 2], f64), |(inputs, epsilon), upstream, _| {
    B::rms_norm_backward(inputs, epsilon, upstream).map(Some)
});
backward!(RotaryBackward, 1, FloatTensor<B>, |angles, upstream, _| {
    [Some(B::rotate(upstream, angles, Rotation::Inverse))]
});
backward!(SwigluBackward, 2, [FloatTensor<B>; 2], |inputs, upstream, _| {
    B::swiglu_backward(inputs, upstream).map(Some)
});
backward!(AttentionBackward, 3, SavedAttention<B>, |saved, upstream, _| {
    B::attention_backward(saved, upstream).map(Some)
});
