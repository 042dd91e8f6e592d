//! Attention of a single query, as in decoding. Keys and values are not copied, and all heads are computed in one pass.

use super::exponential::to_exp;
use super::wide::{LANES, wide};
use std::ops::Range;

/// Sizes of the heads. A row of keys or values is `[kv_heads, head_dim]`.
#[derive(Debug, Clone, Copy)]
pub struct Heads {
    /// Query heads that share a key head.
    pub group: usize,
    /// Number of key heads.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_dim: usize,
}

impl Heads {
    /// Numbers of a row.
    fn row(&self) -> usize {
        self.kv_heads * self.head_dim
    }
}

/// Stores the attended values in `output [heads, head_dim]` and the log-sum-exps in `lse [heads]`, of one query over the rows
/// of `spans`. `query [heads, head_dim]` is divided by the square root of `head_dim` already. `weights` is scratch memory.
pub fn attend(
    heads: Heads,
    query: &[f32],
    [key, value]: [&[f32]; 2],
    spans: &[Range<usize>],
    weights: &mut Vec<f32>,
    output: &mut [f32],
    lse: &mut [f32],
) {
    let (keys, row) = (spans.iter().map(Range::len).sum::<usize>(), heads.row());
    weights.clear();
    weights.resize(lse.len() * keys, 0.0);
    let mut first = 0;
    for span in spans {
        scores(heads, query, &key[span.start * row..span.end * row], weights, keys, first);
        first += span.len();
    }
    output.fill(0.0);
    for (weights, lse) in weights.chunks_exact_mut(keys).zip(lse.iter_mut()) {
        let (max, sum) = to_exp(weights);
        *lse = max + sum.ln();
        weights.iter_mut().for_each(|weight| *weight /= sum);
    }
    let mut first = 0;
    for span in spans {
        mix(heads, weights, keys, first, &value[span.start * row..span.end * row], output);
        first += span.len();
    }
}

wide! {
    /// `into[head, first + key] = query[head] . key[key]`.
    fn scores(heads: Heads, query: &[f32], key: &[f32], into: &mut [f32], keys: usize, first: usize) {
        let Heads { group, head_dim, .. } = heads;
        for (at, row) in key.chunks_exact(heads.row()).enumerate() {
            for (kv_head, key) in row.chunks_exact(head_dim).enumerate() {
                for head in kv_head * group..(kv_head + 1) * group {
                    into[head * keys + first + at] = dot(&query[head * head_dim..][..head_dim], key);
                }
            }
        }
    }
}

wide! {
    /// `output[head] += sum over key of weights[head, first + key] value[key]`.
    fn mix(heads: Heads, weights: &[f32], keys: usize, first: usize, value: &[f32], output: &mut [f32]) {
        let Heads { group, head_dim, .. } = heads;
        for (at, row) in value.chunks_exact(heads.row()).enumerate() {
            for (kv_head, value) in row.chunks_exact(head_dim).enumerate() {
                for head in kv_head * group..(kv_head + 1) * group {
                    let weight = weights[head * keys + first + at];
                    let output = &mut output[head * head_dim..][..head_dim];
                    output.iter_mut().zip(value).for_each(|(out, value)| *out += weight * value);
                }
            }
        }
    }
}

/// The dot product, as [`LANES`] partial sums, which are added pairwise. Adding them one after the other would take longer
/// than the products.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((blocks, rest), (b_blocks, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut lanes = [0.0f32; LANES];
    for (a, b) in blocks.iter().zip(b_blocks) {
        for lane in 0..LANES {
            lanes[lane] += a[lane] * b[lane];
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(rest).zip(b_rest) {
        *lane += a * b;
    }
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}
