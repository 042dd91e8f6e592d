//! The operations this project exists for, behind one signature each.
//!
//! | operation | formula |
//! |---|---|
//! | [`linear_nll`] | `nll[i] = log(sum_v exp(h[row[i]] . w[v])) - h[row[i]] . w[token[i]]` |
//! | [`segment_mean`] | `mean[s] = (1 / len[s]) * sum of the values of segment s` |
//!
//! This is the only crate that may name a backend or hold a shader. [`mod@reference`] states every operation
//! in plain tensors, with the same signature: it runs on every device, and is what the kernels are tested and
//! timed against.
//!
//! ```text
//! linear_nll, segment_mean          the face: shapes are checked here
//!   extension                       which device, and gradients (burn's Autodiff)
//!     wgpu  -> source -> shaders/   tiles in workgroup memory and registers
//!     flex                          tiles in a core's cache, on all cores
//! ```

pub mod adapters;
mod extension;
mod flex;
pub mod memory;
pub mod reference;
pub mod source;
mod targets;
mod wgpu;

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

/// Mean of each of several contiguous runs of `values`: `mean[s] = (1 / lengths[s]) * sum(values of run s)`.
///
/// # Shapes
/// `values [sum of lengths]`; returns `[lengths.len()]`.
///
/// # Panics
/// If the values are not f32, there is no run, one is empty (a mean of nothing), or the lengths do not add up to the
/// number of values.
pub fn segment_mean(values: Tensor<1>, lengths: &[usize]) -> Tensor<1> {
    check_segment_mean(&values, lengths);
    let mut start = 0;
    let segment = |&length: &usize| {
        let segment = [start as u32, length as u32];
        start += length;
        segment
    };
    let segments = lengths.iter().map(segment).collect();
    Tensor::from_dispatch(Dispatch::segment_mean(values.into_dispatch(), segments))
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

fn check_segment_mean(values: &Tensor<1>, lengths: &[usize]) {
    let (dtype, [total]) = (values.dtype(), values.dims());
    assert_eq!(dtype, DType::F32, "segment_mean: values {dtype:?} have to be f32");
    assert!(u32::try_from(total).is_ok(), "segment_mean: {total} values");
    let sum: usize = lengths.iter().sum();
    assert_eq!(total, sum, "segment_mean: {total} values against lengths that add up to {sum}");
    assert!(
        !lengths.is_empty() && lengths.iter().all(|&length| length > 0),
        "segment_mean: an empty segment has no mean"
    );
}
