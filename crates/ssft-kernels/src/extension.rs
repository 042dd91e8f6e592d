//! The operations as an extension of burn: one trait, a GPU and a CPU implementation, gradients over either.

use crate::flex::linear_nll::Gradients as FlexGradients;
use crate::targets::Targets;
use crate::{flex, wgpu};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Flex, TensorMetadata, backend_extension};
use burn::tensor::TensorData;
use burn_wgpu::CubeBackend;

/// Contiguous runs, as `[start, length]`.
pub type Segments = Vec<[u32; 2]>;

/// What the rest of burn calls.
#[backend_extension(Cube, Flex, Autodiff)]
pub trait KernelOps: Backend {
    /// See [`crate::linear_nll`].
    fn linear_nll(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self>;

    /// See [`crate::segment_mean`].
    fn segment_mean(values: FloatTensor<Self>, segments: Segments) -> FloatTensor<Self>;
}

/// What a device has to bring: the passes themselves.
pub trait Kernels: Backend {
    /// Negative log-likelihood and log-sum-exp, each `[targets]`.
    fn nll_forward(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> [FloatTensor<Self>; 2];

    /// The wanted gradients of hidden states and weight.
    fn nll_backward(
        saved: Saved<Self>,
        upstream: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2];

    /// Mean of each run.
    fn means(values: FloatTensor<Self>, segments: &[[u32; 2]]) -> FloatTensor<Self>;
}

/// What the backward pass needs of the forward pass: its inputs, and one number a target.
#[derive(Debug, Clone)]
pub struct Saved<B: Backend> {
    hidden: FloatTensor<B>,
    weight: FloatTensor<B>,
    targets: Targets,
    lse: FloatTensor<B>,
}

impl Kernels for CubeBackend {
    fn nll_forward(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> [FloatTensor<Self>; 2] {
        wgpu::linear_nll::forward(&wgpu::linear_nll::Inputs::new(hidden, weight, targets))
    }

    fn nll_backward(
        saved: Saved<Self>,
        upstream: FloatTensor<Self>,
        wanted: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 2] {
        let inputs = wgpu::linear_nll::Inputs::new(saved.hidden, saved.weight, saved.targets);
        wgpu::linear_nll::backward(&inputs, saved.lse, upstream, wanted)
    }

    fn means(values: FloatTensor<Self>, segments: &[[u32; 2]]) -> FloatTensor<Self> {
        wgpu::segment_mean::segment_mean(values, segments)
    }
}

impl Kernels for Flex {
    fn nll_forward(hidden: FlexTensor, weight: FlexTensor, targets: Targets) -> [FlexTensor; 2] {
        let (hidden, weight) = (hidden.to_contiguous(), weight.to_contiguous());
        let (nll, lse) = flex::linear_nll::forward(inputs(&hidden, &weight, &targets));
        [vector(nll), vector(lse)]
    }

    fn nll_backward(saved: Saved<Self>, upstream: FlexTensor, wanted: [bool; 2]) -> [Option<FlexTensor>; 2] {
        let (hidden, weight) = (saved.hidden.to_contiguous(), saved.weight.to_contiguous());
        let [lse, upstream] = [saved.lse.to_contiguous(), upstream.to_contiguous()];
        // Not `FlexTensor::zeros`, which aligns what it got by copying it.
        let zeros = |like: &FlexTensor| {
            let shape = like.shape();
            FlexTensor::from_data(TensorData::new(vec![0f32; shape.num_elements()], shape))
        };
        let mut gradients = [wanted[0].then(|| zeros(&hidden)), wanted[1].then(|| zeros(&weight))];
        let [hidden_gradient, weight_gradient] = &mut gradients;
        let into = FlexGradients {
            hidden: hidden_gradient.as_mut().map(FlexTensor::storage_mut),
            weight: weight_gradient.as_mut().map(FlexTensor::storage_mut),
        };
        let inputs = inputs(&hidden, &weight, &saved.targets);
        flex::linear_nll::backward(inputs, lse.storage(), upstream.storage(), into);
        gradients
    }

    fn means(values: FlexTensor, segments: &[[u32; 2]]) -> FlexTensor {
        vector(flex::segment_mean::segment_mean(values.to_contiguous().storage(), segments))
    }
}

fn inputs<'a>(
    hidden: &'a FlexTensor,
    weight: &'a FlexTensor,
    targets: &'a Targets,
) -> flex::linear_nll::Inputs<'a> {
    flex::linear_nll::Inputs {
        hidden: hidden.storage(),
        weight: weight.storage(),
        width: weight.shape()[1],
        targets,
    }
}

fn vector(values: Vec<f32>) -> FlexTensor {
    let length = values.len();
    FlexTensor::from_data(TensorData::new(values, [length]))
}

impl KernelOps for CubeBackend {
    fn linear_nll(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self> {
        let [nll, _] = Self::nll_forward(hidden, weight, targets);
        nll
    }

    fn segment_mean(values: FloatTensor<Self>, segments: Segments) -> FloatTensor<Self> {
        Self::means(values, &segments)
    }
}

impl KernelOps for Flex {
    fn linear_nll(hidden: FlexTensor, weight: FlexTensor, targets: Targets) -> FlexTensor {
        let [nll, _] = Self::nll_forward(hidden, weight, targets);
        nll
    }

    fn segment_mean(values: FlexTensor, segments: Segments) -> FlexTensor {
        Self::means(values, &segments)
    }
}

impl<B: Kernels, C: CheckpointStrategy> KernelOps for Autodiff<B, C> {
    fn linear_nll(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self> {
        match NllBackward.prepare::<C>([hidden.node(), weight.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let (hidden, weight) = (hidden.into_primitive(), weight.into_primitive());
                let [nll, lse] = B::nll_forward(hidden.clone(), weight.clone(), targets.clone());
                prepared.finish(Saved { hidden, weight, targets, lse }, nll)
            }
            OpsKind::UnTracked(prepared) => {
                let [nll, _] = B::nll_forward(hidden.into_primitive(), weight.into_primitive(), targets);
                prepared.finish(nll)
            }
        }
    }

    fn segment_mean(values: FloatTensor<Self>, segments: Segments) -> FloatTensor<Self> {
        match MeanBackward.prepare::<C>([values.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => {
                let means = B::means(values.into_primitive(), &segments);
                prepared.finish(segments, means)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(B::means(values.into_primitive(), &segments)),
        }
    }
}

#[derive(Debug)]
struct NllBackward;

impl<B: Kernels> Backward<B, 2> for NllBackward {
    type State = Saved<B>;

    fn backward(self, ops: Ops<Self::State, 2>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let wanted = [ops.parents[0].is_some(), ops.parents[1].is_some()];
        let found = B::nll_backward(ops.state, upstream, wanted);
        for (parent, gradient) in ops.parents.into_iter().zip(found) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                gradients.register::<B>(parent.id, gradient);
            }
        }
    }
}

#[derive(Debug)]
struct MeanBackward;

impl<B: Kernels> Backward<B, 1> for MeanBackward {
    type State = Segments;

    /// `d values[i] = upstream[segment of i] / length of it`.
    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let upstream = gradients.consume::<B>(&ops.node);
        let [Some(parent)] = ops.parents else { return };
        let runs = || ops.state.iter().map(|&[_, length]| length as usize);
        let owner: Vec<i32> = runs().enumerate().flat_map(|(run, length)| vec![run as i32; length]).collect();
        let share: Vec<f32> = runs().flat_map(|length| vec![1.0 / length as f32; length]).collect();
        let (count, device) = (share.len(), upstream.device());
        let owner = B::int_from_data(TensorData::new(owner, [count]), &device);
        let share = B::float_from_data(TensorData::new(share, [count]), &device);
        let gradient = B::float_mul(B::float_select(upstream, 0, owner), share);
        gradients.register::<B>(parent.id, gradient);
    }
}
