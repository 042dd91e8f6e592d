//! The operations of SSFT training and decoding, each with one signature for every device.
//!
//! | operation | formula |
//! |---|---|
//! | [`linear_nll`] | `nll[i] = log(sum_v exp(h[row[i]] . w[v])) - h[row[i]] . w[token[i]]` |
//! | [`tree_attention`] | `out[t] = softmax(q[t] . k / sqrt(d)) v` over the tokens that token t sees in its tree |
//! | [`rms_norm`] | `y = w * x / sqrt(mean(x^2) + eps)` |
//! | [`rotary`] | each pair of numbers of a head, rotated by the angle of its token |
//! | [`swiglu`] | `silu(gate) * up` |
//! | [`linear`], [`linear_onto`] | `x w^T`, `r + x w^T` |
//! | [`adamw`], [`sum_of_squares`] | one update of a parameter and its moments; `sum(x^2)` |
//!
//! No other crate of this project names a backend or holds a shader. [`mod@reference`] has every operation in plain
//! tensors, with the same signature; tests and benches compare the kernels with it.
//!
//! ```text
//! linear_nll, tree_attention, ..    public functions: check shapes
//!   extension, gradients            select the device; gradients by burn's autodiff
//!     wgpu  -> source -> shaders/   tiles in workgroup memory and registers
//!     flex                          tiles in the cache of a core, on all cores
//! ```

mod adamw_rule;
#[cfg(not(target_family = "wasm"))]
pub mod adapters;
#[cfg(target_family = "wasm")]
pub mod browser;
mod checks;
mod compose;
mod extension;
mod flex;
mod forest;
mod gradients;
mod lane_tile;
pub mod launches;
pub mod memory;
mod optimizer;
mod plan_cache;
pub mod reference;
pub mod self_test;
pub mod source;
mod targets;
mod wgpu;

pub use adamw_rule::{AdamW, Moments};
pub use forest::{Forest, Node, Run};
pub use optimizer::{adamw, sum_of_squares};
pub use targets::Targets;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use checks::{
    check_linear, check_linear_nll, check_residual, check_rms_norm, check_rotary, check_swiglu,
    check_tree_attention,
};
use extension::KernelOps;

/// Negative log-likelihood of each target under a linear head, in nats:
/// `nll[i] = log(sum_v exp(h[row[i]] . w[v])) - h[row[i]] . w[token[i]]`.
///
/// The logits are never stored as a whole; the backward pass computes them once more, a small part at a time. Besides
/// inputs and results, a GPU holds 1/64 of the logits or, for small vocabularies, 512 columns of them, and copies of both
/// inputs if the width is no multiple of 4. The CPU holds 256 KiB per thread, 2 MiB in the backward pass, and a copy of at
/// most 1024 rows where the rows with targets are not consecutive. Source: arXiv 2411.09009.
///
/// # Shapes
/// `hidden [rows, width]`, `weight [vocab, width]` (the layout of a Hugging Face head or embedding); returns
/// `[targets.len()]`. Gradients flow to `hidden` and `weight`, if tracked; the gradient of a row without a target is 0.
///
/// # Panics
/// If the widths differ, an input is not f32, there is no target, or one is out of range. If an input is tracked and a row
/// has several targets.
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::{Targets, linear_nll};
///
/// let device = Device::flex().autodiff();
/// // Two positions and three tokens: the logits are [0, 0, 0] and [2, 0, 0].
/// let hidden = Tensor::<2>::from_data([[0.0f32, 0.0], [1.0, 0.0]], &device).require_grad();
/// let weight = Tensor::<2>::from_data([[2.0f32, 0.0], [0.0, 1.0], [0.0, 0.0]], &device);
/// let nll = linear_nll(hidden.clone(), weight, &Targets::every_row(&[1, 0]));
/// let gradients = nll.clone().sum().backward();
///
/// let nll: Vec<f32> = nll.into_data().try_to_vec().unwrap();
/// assert!((nll[0] - 3f32.ln()).abs() < 1e-6);
/// assert!((nll[1] - ((2f32.exp() + 2.0).ln() - 2.0)).abs() < 1e-6);
/// // Of position 0: the mean of the weights minus the weight of token 1.
/// let gradient: Vec<f32> = hidden.grad(&gradients).unwrap().into_data().try_to_vec().unwrap();
/// assert!((gradient[0] - 2.0 / 3.0).abs() < 1e-6 && (gradient[1] + 2.0 / 3.0).abs() < 1e-6);
/// ```
pub fn linear_nll(hidden: Tensor<2>, weight: Tensor<2>, targets: &Targets) -> Tensor<1> {
    check_linear_nll(&hidden, &weight, targets);
    Tensor::from_dispatch(Dispatch::linear_nll(
        hidden.into_dispatch(),
        weight.into_dispatch(),
        targets.clone(),
    ))
}

/// Linear map: `y = x w^T`.
///
/// # Shapes
/// `input [rows, in]`, `weight [out, in]` (the layout of Hugging Face); returns `[rows, out]`.
///
/// # Panics
/// If the widths differ or an input is not f32.
pub fn linear(input: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    check_linear(&input, &weight);
    Tensor::from_dispatch(Dispatch::linear(input.into_dispatch(), weight.into_dispatch()))
}

/// The same weight, stored column by column where this makes its products faster: on the CPU.
///
/// `gemm` copies a weight that is stored row by row into another layout for every product, which takes longer than the
/// product of a few rows. The conversion is worthwhile for a weight that several passes read. A tracked weight is returned
/// unchanged.
///
/// # Shapes
/// `[out, in]`, before and after.
pub fn column_major(weight: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::column_major(weight.into_dispatch()))
}

/// Linear map added to a residual: `y = r + x w^T`. On the CPU the sum needs no pass of its own.
///
/// # Shapes
/// `input [rows, in]`, `weight [out, in]`, `residual [rows, out]`; returns `[rows, out]`.
///
/// # Panics
/// If the shapes do not match or an input is not f32.
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
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::{linear, rms_norm};
///
/// let device = Device::flex();
/// let input = Tensor::<2>::from_data([[3.0f32, 4.0]], &device);
/// // The root mean square of 3 and 4 is sqrt(12.5).
/// let normalised = rms_norm(input, Tensor::from_data([1.0f32, 2.0], &device), 0.0);
/// // A projection to one number: the sum of both.
/// let sum = linear(normalised, Tensor::from_data([[1.0f32, 1.0]], &device));
/// let sum: Vec<f32> = sum.into_data().try_to_vec().unwrap();
/// assert!((sum[0] - (3.0 + 2.0 * 4.0) / 12.5f32.sqrt()).abs() < 1e-6);
/// ```
pub fn rms_norm(input: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    check_rms_norm(&input, &weight);
    Tensor::from_dispatch(Dispatch::rms_norm(input.into_dispatch(), weight.into_dispatch(), epsilon))
}

/// Rotary position embedding: the numbers `i` and `i + head_dim / 2` of each head are a pair, which is rotated by angle `i`
/// of its token. Source: arXiv 2104.09864, with the pairs of Hugging Face's `rotate_half`.
///
/// # Shapes
/// `input [tokens, heads, head_dim]`; `angles [tokens, head_dim]`: the cosines of a token's angles, then their sines.
/// Returns the shape of `input`. Gradients flow to `input` only.
///
/// # Panics
/// If the shapes do not match, `head_dim` is odd, or an input is not f32.
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::rotary;
///
/// let device = Device::flex();
/// // One token, one head with one pair, rotated by 90 degrees: cosine 0, sine 1.
/// let input = Tensor::<3>::from_data([[[3.0f32, 4.0]]], &device);
/// let rotated = rotary(input, Tensor::from_data([[0.0f32, 1.0]], &device));
/// let rotated: Vec<f32> = rotated.into_data().try_to_vec().unwrap();
/// assert_eq!(rotated, [-4.0, 3.0]);
/// ```
pub fn rotary(input: Tensor<3>, angles: Tensor<2>) -> Tensor<3> {
    check_rotary(&input, &angles);
    Tensor::from_dispatch(Dispatch::rotary(input.into_dispatch(), angles.into_dispatch()))
}

/// Gate of a feed-forward network: `silu(gate) * up`, `silu(x) = x / (1 + exp(-x))`. Source: arXiv 2002.05202.
///
/// # Shapes
/// `gate [rows, width]`, `up [rows, width]`; returns `[rows, width]`.
///
/// # Panics
/// If the shapes differ or an input is not f32.
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::swiglu;
///
/// let device = Device::flex();
/// let gate = Tensor::<2>::from_data([[0.0f32, 100.0]], &device);
/// let up = Tensor::<2>::from_data([[5.0f32, 2.0]], &device);
/// let gated: Vec<f32> = swiglu(gate, up).into_data().try_to_vec().unwrap();
/// assert_eq!(gated, [0.0, 200.0]);
/// ```
pub fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    check_swiglu(&gate, &up);
    Tensor::from_dispatch(Dispatch::swiglu(gate.into_dispatch(), up.into_dispatch()))
}

/// Attention over trees: `out[t, h] = sum over s of softmax(q[t, h] . k[s, g] / sqrt(head_dim)) v[s, g]`, where s goes
/// over the tokens that t sees (see [`Forest`]) and `g` is the key head of query head `h`.
///
/// Scores are not stored, and no token is padded. A prompt that several branches continue is computed once, and its
/// gradient is the sum over all of them. Source: arXiv 2205.14135, and arXiv 2305.13245 for grouped queries.
///
/// # Shapes
/// `query [forest.queries(), heads, head_dim]`, `key` and `value [rows, kv_heads, head_dim]` with at least
/// `forest.keys()` rows; returns the shape of `query`.
///
/// # Panics
/// If the shapes do not match or an input is not f32. If an input is tracked and [`Forest::trees`] is `None` or there are
/// more rows of keys than the forest has.
///
/// # Examples
/// ```
/// use burn::tensor::{Device, Tensor};
/// use ssft_kernels::{Forest, Node, tree_attention};
///
/// let device = Device::flex();
/// // A prompt of one token, and two branches of one token each. With queries of 0 all weights are equal.
/// let node = |parent| Node { parent, length: 1, new: 1 };
/// let forest = Forest::new(&[node(None), node(Some(0)), node(Some(0))]);
/// let zeros = Tensor::<3>::zeros([3, 1, 2], &device);
/// let value = Tensor::<3>::from_data([[[1.0f32, 0.0]], [[3.0, 2.0]], [[7.0, 4.0]]], &device);
/// let output = tree_attention(zeros.clone(), zeros, value, &forest);
/// // Each branch sees the prompt and itself, not the other branch.
/// let output: Vec<f32> = output.into_data().try_to_vec().unwrap();
/// assert_eq!(output, [1.0, 0.0, 2.0, 1.0, 4.0, 2.0]);
/// ```
pub fn tree_attention(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>, forest: &Forest) -> Tensor<3> {
    check_tree_attention(&query, &key, &value, forest);
    Tensor::from_dispatch(Dispatch::tree_attention(
        query.into_dispatch(),
        key.into_dispatch(),
        value.into_dispatch(),
        forest.clone(),
    ))
}
