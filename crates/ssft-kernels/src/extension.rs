//! The operations as an extension of burn: a trait that burn's dispatch calls, and a trait that each device implements.

use crate::forest::Forest;
use crate::targets::Targets;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex, backend_extension};
use burn_wgpu::CubeBackend;

/// The operations as burn's dispatch calls them, for a device or for autodiff over it.
#[backend_extension(Cube, Flex, Autodiff)]
pub trait KernelOps: Backend {
    /// See [`crate::linear_nll`].
    fn linear_nll(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> FloatTensor<Self>;

    /// See [`crate::linear`].
    fn linear(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::column_major`].
    fn column_major(weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::linear_onto`].
    fn linear_onto(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`crate::rms_norm`].
    fn rms_norm(input: FloatTensor<Self>, weight: FloatTensor<Self>, epsilon: f64) -> FloatTensor<Self>;

    /// See [`crate::rotary`].
    fn rotary(input: FloatTensor<Self>, angles: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::swiglu`].
    fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;

    /// See [`crate::tree_attention`].
    fn tree_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        forest: Forest,
    ) -> FloatTensor<Self>;
}

/// Forward and backward passes, implemented by each device. Shapes are those of the operations of the same name.
pub trait Kernels: Backend {
    /// Negative log-likelihood and log-sum-exp, each `[targets]`.
    fn nll_forward(
        hidden: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        targets: Targets,
    ) -> [FloatTensor<Self>; 2];

    /// The wanted gradients of hidden states (the input) and weight.
    fn nll_backward(
        saved: SavedNll<Self>,
        upstream: FloatTensor<Self>,
        wanted: Wanted,
    ) -> [Option<FloatTensor<Self>>; 2];

    /// `input weight^T`.
    fn linear_forward(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// The same matrix in the layout that [`Kernels::linear_forward`] reads fastest.
    fn prepared(weight: FloatTensor<Self>) -> FloatTensor<Self>;

    /// `residual + input weight^T`.
    fn linear_onto_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        residual: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// The wanted gradients of input and weight.
    fn linear_backward(
        inputs: [FloatTensor<Self>; 2],
        upstream: FloatTensor<Self>,
        wanted: Wanted,
    ) -> [Option<FloatTensor<Self>>; 2];

    /// The normalised input.
    fn rms_norm_forward(
        input: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self>;

    /// Gradients of input and weight.
    fn rms_norm_backward(
        inputs: [FloatTensor<Self>; 2],
        epsilon: f64,
        upstream: FloatTensor<Self>,
    ) -> [FloatTensor<Self>; 2];

    /// Rotates every pair by its angle, or by the opposite angle.
    fn rotate(input: FloatTensor<Self>, angles: FloatTensor<Self>, rotation: Rotation) -> FloatTensor<Self>;

    /// `silu(gate) * up`.
    fn swiglu_forward(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self>;

    /// Gradients of gate and up.
    fn swiglu_backward(inputs: [FloatTensor<Self>; 2], upstream: FloatTensor<Self>)
    -> [FloatTensor<Self>; 2];

    /// The attended values, and the log-sum-exp of the scores of each query and head, `[queries, heads]`.
    fn attention_forward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        forest: &Forest,
    ) -> [FloatTensor<Self>; 2];

    /// Gradients of query, key and value.
    fn attention_backward(saved: SavedAttention<Self>, upstream: FloatTensor<Self>)
    -> [FloatTensor<Self>; 3];
}

/// The inputs of a product whose gradients are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The gradient of the left operand: input or hidden states.
    pub input: bool,
    /// The gradient of the weight.
    pub weight: bool,
}

/// Direction of a rotary embedding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// By the angles: the forward pass.
    Forward,
    /// By the opposite angles: the backward pass.
    Inverse,
}

impl Rotation {
    /// Factor of the sines.
    pub fn sign(self) -> f32 {
        match self {
            Self::Forward => 1.0,
            Self::Inverse => -1.0,
        }
    }
}

/// What the backward pass of `linear_nll` needs: the inputs of the forward pass, and one number per target.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields have the names of the operation")]
pub struct SavedNll<B: Backend> {
    pub hidden: FloatTensor<B>,
    pub weight: FloatTensor<B>,
    pub targets: Targets,
    pub lse: FloatTensor<B>,
}

/// What the backward pass of `tree_attention` needs: inputs and output of the forward pass, and one number per query and
/// head.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "the fields have the names of the operation")]
pub struct SavedAttention<B: Backend> {
    pub query: FloatTensor<B>,
    pub key: FloatTensor<B>,
    pub value: FloatTensor<B>,
    pub forest: Forest,
    pub output: FloatTensor<B>,
    pub lse: FloatTensor<B>,
}

/// The operations of a device without autodiff: the forward pass alone.
macro_rules! forward_only {
    ($($device:ty),*) => {$(
        impl KernelOps for $device {
            fn linear_nll(
                hidden: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                targets: Targets,
            ) -> FloatTensor<Self> {
                let [nll, _] = Self::nll_forward(hidden, weight, targets);
                nll
            }

            fn linear(input: FloatTensor<Self>, weight: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::linear_forward(input, weight)
            }

            fn column_major(weight: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::prepared(weight)
            }

            fn linear_onto(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                residual: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                Self::linear_onto_forward(input, weight, residual)
            }

            fn rms_norm(
                input: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                epsilon: f64,
            ) -> FloatTensor<Self> {
                Self::rms_norm_forward(input, weight, epsilon)
            }

            fn rotary(input: FloatTensor<Self>, angles: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::rotate(input, angles, Rotation::Forward)
            }

            fn swiglu(gate: FloatTensor<Self>, up: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::swiglu_forward(gate, up)
            }

            fn tree_attention(
                query: FloatTensor<Self>,
                key: FloatTensor<Self>,
                value: FloatTensor<Self>,
                forest: Forest,
            ) -> FloatTensor<Self> {
                let [output, _] = Self::attention_forward(query, key, value, &forest);
                output
            }
        }
    )*};
}

forward_only!(CubeBackend, Flex);
