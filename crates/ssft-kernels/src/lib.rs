//! The operations this project exists for, behind one signature each.
//!
//! | operation | formula |
//! |---|---|
//! | [`linear_nll`] | `nll[i] = log(sum_v exp(h[row[i]] . w[v])) - h[row[i]] . w[token[i]]` |
//! | [`tree_attention`] | `out[t] = softmax(q[t] . k / sqrt(d)) v` over what token t sees in its tree |
//! | [`rms_norm`] | `y = w * x / sqrt(mean(x^2) + eps)` |
//! | [`rotary`] | each pair of a head, turned by the angle of its token |
//! | [`swiglu`] | `silu(gate) * up` |
//! | [`linear`], [`linear_onto`] | `x w^T`, `r + x w^T` |
//! | [`adamw`], [`sum_of_squares`] | one update of a parameter and its moments; `sum(x^2)` |
//!
//! This is the only crate that may name a backend or hold a shader. [`mod@reference`] states every operation
//! in plain tensors, with the same signature: it runs on every device, and is what the kernels are tested and
//! timed against.
//!
//! ```text
//! linear_nll, tree_attention, ..    the face: shapes are checked here
//!   extension, gradients            which device, and gradients (burn's Autodiff)
//!     wgpu  -> source -> shaders/   tiles in workgroup memory and registers
//!     flex                          tiles in a core's cache, on all cores
//! ```

#[cfg(not(target_family = "wasm"))]
pub mod adapters;
#[cfg(target_family = "wasm")]
pub mod browser;
mod extension;
mod flex;
mod forest;
mod gradients;
pub mod launches;
pub mod memory;
mod optimizer;
pub mod reference;
pub mod self_test;
pub mod source;
mod targets;
mod wgpu;

pub use forest::{Forest, Node, Run};
pub use optimizer::{AdamW, Moments, adamw, sum_of_squares};
pub use targets::Targets;

use burn::backend::Dispatch;
use burn::tensor::{DType, Tensor};
use extension::KernelOps;

/// Negative log-likelihood of one target per listed row under a linear head, in nats:
/// `nll[i] = log(sum_v exp(h[row[i]] . w[v])) - h[row[i]] . w[token[i]]`.
///
/// The logits are never there as a whole; gradients compute them once more, a small part at a time
/// (Wijmans et al., Cut Your Losses in Large-Vocabulary Language Models, arXiv 2411.09009). On top of inputs and
/// results a GPU holds 1/64 of the logits or, for small vocabularies, 512 columns of them, and copies of both inputs if
/// the width is no multiple of 4. The CPU holds 256 KiB a thread, 2 MiB for gradients, and a copy of at most 1024 rows
/// where rows with targets do not stand side by side.
///
/// # Shapes
/// `hidden [rows, width]`, `weight [vocab, width]` (the layout of a Hugging Face head or embedding); returns
/// `[targets.len()]`. Gradients flow to `hidden` and `weight`, whichever is tracked; a row of `hidden` without a
/// target enters no sum, and its gradient is 0.
///
/// # Panics
/// If the widths differ, an input is not f32, there is no target, or one is out of range.
pub fn linear_nll(hidden: Tensor<2>, weight: Tensor<2>, targets: &Targets) -> Tensor<1> {
    check_linear_nll(&hidden, &weight, targets);
    Tensor::from_dispatch(Dispatch::linear_nll(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        targets.clone(),
    ))
}

/// A linear map: `y = x w^T`.
///
/// # Shapes
/// `input [rows, in]`, `weight [out, in]` (as Hugging Face stores it); returns `[rows, out]`.
///
/// # Panics
/// If the widths differ or an input is not f32.
pub fn linear(input: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    check_linear(&input, &weight);
    Tensor::from_dispatch(Dispatch::linear(input.into_dispatch(), weight.into_dispatch()))
}

/// The same weight, laid out column by column where that makes its products faster: `gemm` packs a weight that lies row
/// by row anew for every product, which takes longer than the product of a few rows itself. It pays for a weight that
/// several passes read; without gradient only, a tracked weight stays as it is.
///
/// # Shapes
/// `[out, in]`, in and out.
pub fn column_major(weight: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::column_major(weight.into_dispatch()))
}

/// A linear map added to what is there: `y = r + x w^T`. The sum costs no pass of its own on the CPU.
///
/// # Shapes
/// `input [rows, in]`, `weight [out, in]`, `residual [rows, out]`; returns `[rows, out]`.
///
/// # Panics
/// If the shapes do not fit or an input is not f32.
pub fn linear_onto(input: Tensor<2>, weight: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
    check_linear(&input, &weight);
    check_residual(&input, &weight, &residual);
    Tensor::from_dispatch(Dispatch::linear_onto(
        input.into_dispatch(),
        weight.into_dispatch(),
        residual.into_dispatch(),
    ))
}

/// Root mean square normalisation: `y = w * x / sqrt(mean(x^2) + eps)`. Source: arXiv 1910.07467.
///
/// # Shapes
/// `input [rows, width]`, `weight [width]`; returns `[rows, width]`.
///
/// # Panics
/// If the widths differ or an input is not f32.
pub fn rms_norm(input: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    check_rms_norm(&input, &weight);
    Tensor::from_dispatch(Dispatch::rms_norm(input.into_dispatch(), weight.into_dispatch(), epsilon))
}

/// Rotary position embedding: numbers `i` and `i + head_dim / 2` of every head are a pair, which turns by the angle
/// `i` of its token. Source: arXiv 2104.09864, pairs as in Hugging Face's `rotate_half`.
///
/// # Shapes
/// `input [tokens, heads, head_dim]`; `angles [tokens, head_dim]`: the cosines of a token's angles, then their sines.
/// Returns the shape of `input`. Gradients flow to `input` only.
///
/// # Panics
/// If the shapes do not fit, `head_dim` is odd, or an input is not f32.
pub fn rotary(input: Tensor<3>, angles: Tensor<2>) -> Tensor<3> {
    check_rotary(&input, &angles);
    Tensor::from_dispatch(Dispatch::rotary(input.into_dispatch(), angles.into_dispatch()))
}

/// The gate of a feed-forward network: `silu(gate) * up`, `silu(x) = x / (1 + exp(-x))`. Source: arXiv 2002.05202.
///
/// # Shapes
/// `gate [rows, width]`, `up [rows, width]`; returns `[rows, width]`.
///
/// # Panics
/// If the shapes differ or an input is not f32.
pub fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    check_swiglu(&gate, &up);
    Tensor::from_dispatch(Dispatch::swiglu(gate.into_dispatch(), up.into_dispatch()))
}

/// Attention over trees: `out[t, h] = sum over s of softmax(q[t, h] . k[s, g] / sqrt(head_dim)) v[s, g]`, where s goes
/// over the tokens that t sees (see [`Forest`]) and `g` is the key head of h (grouped queries, arXiv 2305.13245).
///
/// Scores are never there as a whole, and no token is padded: a prompt that many branches continue is there once,
/// and its gradient gathers what each of them sends.
///
/// # Shapes
/// `query [forest.queries(), heads, head_dim]`, `key` and `value [rows, kv_heads, head_dim]` with at least
/// `forest.keys()` rows; returns the shape of `query`.
///
/// # Panics
/// If the shapes do not fit, an input is not f32, or one is tracked and the keys are not exactly those of the forest,
/// tree by tree.
pub fn tree_attention(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>, forest: &Forest) -> Tensor<3> {
    check_tree_attention(&query, &key, &value, forest);
    Tensor::from_dispatch(Dispatch::tree_attention(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        forest.clone(),
    ))
}

fn check_linear_nll(hidden: &Tensor<2>, weight: &Tensor<2>, targets: &Targets) {
    let ([rows, width], [vocab, weight_width]) = (hidden.dims(), weight.dims());
    assert!(
        width == weight_width && width > 0,
        "linear_nll: hidden [{rows}, {width}] against weight [{vocab}, {weight_width}]"
    );
    let (dtype, weight_dtype) = (hidden.dtype(), weight.dtype());
    assert!(
        dtype == DType::F32 && weight_dtype == DType::F32,
        "linear_nll: hidden {dtype:?} and weight {weight_dtype:?} have to be f32"
    );
    assert!(!targets.is_empty(), "linear_nll: no target");
    targets.check(rows, vocab);
}

fn check_f32<const N: usize>(operation: &str, dtypes: [DType; N]) {
    assert!(dtypes.iter().all(|&dtype| dtype == DType::F32), "{operation}: {dtypes:?} have to be f32");
}

fn check_linear(input: &Tensor<2>, weight: &Tensor<2>) {
    let ([rows, width], [out, weight_width]) = (input.dims(), weight.dims());
    assert!(width == weight_width, "linear: input [{rows}, {width}] against weight [{out}, {weight_width}]");
    check_f32("linear", [input.dtype(), weight.dtype()]);
}

fn check_residual(input: &Tensor<2>, weight: &Tensor<2>, residual: &Tensor<2>) {
    let (dims, fits) = (residual.dims(), [input.dims()[0], weight.dims()[0]]);
    assert_eq!(dims, fits, "linear_onto: residual {dims:?} against a result of {fits:?}");
    check_f32("linear_onto", [residual.dtype()]);
}

fn check_rms_norm(input: &Tensor<2>, weight: &Tensor<1>) {
    let ([rows, width], [weight_width]) = (input.dims(), weight.dims());
    assert!(width == weight_width, "rms_norm: input [{rows}, {width}] against weight [{weight_width}]");
    check_f32("rms_norm", [input.dtype(), weight.dtype()]);
}

fn check_rotary(input: &Tensor<3>, angles: &Tensor<2>) {
    let ([tokens, heads, head_dim], angle_dims) = (input.dims(), angles.dims());
    assert!(
        angle_dims == [tokens, head_dim] && head_dim.is_multiple_of(2),
        "rotary: input [{tokens}, {heads}, {head_dim}] against angles {angle_dims:?}"
    );
    check_f32("rotary", [input.dtype(), angles.dtype()]);
}

fn check_swiglu(gate: &Tensor<2>, up: &Tensor<2>) {
    let (dims, up_dims) = (gate.dims(), up.dims());
    assert_eq!(dims, up_dims, "swiglu: gate {dims:?} against up {up_dims:?}");
    check_f32("swiglu", [gate.dtype(), up.dtype()]);
}

fn check_tree_attention(query: &Tensor<3>, key: &Tensor<3>, value: &Tensor<3>, forest: &Forest) {
    let ([queries, heads, head_dim], [keys, kv_heads, key_dim]) = (query.dims(), key.dims());
    assert!(
        queries == forest.queries() && keys >= forest.keys() && value.dims() == key.dims(),
        "tree_attention: query {:?}, key {:?} and value {:?} against {} queries and {} keys",
        query.dims(),
        key.dims(),
        value.dims(),
        forest.queries(),
        forest.keys()
    );
    assert!(
        head_dim == key_dim && heads.is_multiple_of(kv_heads),
        "tree_attention: {heads} heads of {head_dim} against {kv_heads} of {key_dim}"
    );
    check_f32("tree_attention", [query.dtype(), key.dtype(), value.dtype()]);
}
