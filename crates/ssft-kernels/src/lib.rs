//! The operations this project exists for, behind one signature each.
//!
//! | operation | formula |
//! |---|---|
//! | [`linear_nll`] | `nll[r] = log(sum_v exp(h[r] . w[v])) - h[r] . w[target[r]]` |
//! | [`segment_mean`] | `mean[s] = (1 / len[s]) * sum of the values of segment s` |
//!
//! This is the only crate that may name a backend or hold a shader. [`mod@reference`] states every operation
//! in plain tensors: it runs on every device, has gradients, and is what a shader is tested against.

pub mod adapters;
pub mod reference;

pub use reference::{linear_nll, segment_mean};
