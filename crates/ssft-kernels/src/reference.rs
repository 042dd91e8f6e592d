//! Every operation in plain tensors, with the same signature. Tests compare the kernels with it, benches time them beside it.

use crate::adamw_rule::{AdamW, Moments};
use crate::checks::{
    check_linear, check_linear_nll, check_residual, check_rms_norm, check_rotary, check_swiglu,
    check_tree_attention,
};
use crate::forest::Forest;
use crate::targets::Targets;
use burn::tensor::activation::{log_softmax, silu, softmax};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::ops::Range;

/// As [`crate::linear_nll`], with all logits in memory: the largest intermediate has `[targets, vocab]` numbers, and
/// gradients keep several of that size.
///
/// # Shapes, panics
/// As [`crate::linear_nll`].
pub fn linear_nll(hidden: Tensor<2>, weight: Tensor<2>, targets: &Targets) -> Tensor<1> {
    check_linear_nll(&hidden, &weight, targets);
    let ([rows, _], count, device) = (hidden.dims(), targets.len(), hidden.device());
    let index = |column: usize| {
        let values: Vec<i32> = targets.pairs().iter().map(|pair| pair[column] as i32).collect();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    let hidden = if count == rows { hidden } else { hidden.select(0, index(0)) };
    let logits = hidden.matmul(weight.transpose());
    log_softmax(logits, 1).gather(1, index(1).reshape([count, 1])).neg().reshape([count])
}

/// As [`crate::linear`].
///
/// # Shapes, panics
/// As [`crate::linear`].
pub fn linear(input: Tensor<2>, weight: Tensor<2>) -> Tensor<2> {
    check_linear(&input, &weight);
    input.matmul(weight.transpose())
}

/// As [`crate::linear_onto`].
///
/// # Shapes, panics
/// As [`crate::linear_onto`].
pub fn linear_onto(input: Tensor<2>, weight: Tensor<2>, residual: Tensor<2>) -> Tensor<2> {
    check_residual(&input, &weight, &residual);
    residual + linear(input, weight)
}

/// As [`crate::rms_norm`].
///
/// # Shapes, panics
/// As [`crate::rms_norm`].
pub fn rms_norm(input: Tensor<2>, weight: Tensor<1>, epsilon: f64) -> Tensor<2> {
    check_rms_norm(&input, &weight);
    let mean_square = input.clone().square().mean_dim(1);
    input * (mean_square + epsilon).sqrt().recip() * weight.unsqueeze()
}

/// As [`crate::rotary`].
///
/// # Shapes, panics
/// As [`crate::rotary`].
pub fn rotary(input: Tensor<3>, angles: Tensor<2>) -> Tensor<3> {
    check_rotary(&input, &angles);
    let [tokens, _, head_dim] = input.dims();
    let half = head_dim / 2;
    let angles = angles.reshape([tokens, 1, head_dim]);
    let halves = |tensor: Tensor<3>| [tensor.clone().narrow(2, 0, half), tensor.narrow(2, half, half)];
    let ([first, second], [cos, sin]) = (halves(input), halves(angles));
    Tensor::cat(
        vec![first.clone() * cos.clone() - second.clone() * sin.clone(), second * cos + first * sin],
        2,
    )
}

/// As [`crate::swiglu`].
///
/// # Shapes, panics
/// As [`crate::swiglu`].
pub fn swiglu(gate: Tensor<2>, up: Tensor<2>) -> Tensor<2> {
    check_swiglu(&gate, &up);
    silu(gate) * up
}

/// As [`crate::tree_attention`], with the scores of every query and key of a tree in memory.
///
/// # Shapes, panics
/// As [`crate::tree_attention`].
pub fn tree_attention(query: Tensor<3>, key: Tensor<3>, value: Tensor<3>, forest: &Forest) -> Tensor<3> {
    check_tree_attention(&query, &key, &value, forest);
    let ([_, heads, head_dim], device) = (query.dims(), query.device());
    // [tokens, heads, head_dim] to [heads, tokens, head_dim]; each key head is repeated for the query heads that share it.
    let by_head = |tensor: Tensor<3>| tensor.swap_dims(0, 1);
    let repeated = |tensor: Tensor<3>| {
        let [kv_heads, keys, _] = tensor.dims();
        tensor
            .reshape([kv_heads, 1, keys, head_dim])
            .expand([kv_heads, heads / kv_heads, keys, head_dim])
            .reshape([heads, keys, head_dim])
    };
    // Without contiguous trees, all runs are one rectangle of queries and keys, most of it masked.
    let packed = forest.trees().is_some();
    let trees = forest.trees().unwrap_or_else(|| std::iter::once(0..forest.runs().len()).collect());
    let of_tree = |tree: Range<usize>| {
        let (first, last) = (forest.runs()[tree.start], forest.runs()[tree.end - 1]);
        let queries = last.query_start + last.new - first.query_start;
        let first_key = if packed { first.key_start } else { 0 };
        let keys = if packed { last.key_start + last.length - first_key } else { forest.keys() };
        let cut = |tensor: &Tensor<3>, from, count| by_head(tensor.clone().narrow(0, from, count));
        (queries > 0).then(|| {
            let query = cut(&query, first.query_start, queries) / (head_dim as f64).sqrt();
            let [key, value] = [&key, &value].map(|tensor| repeated(cut(tensor, first_key, keys)));
            let mask = mask(forest, tree, first_key..first_key + keys, &device);
            let scores = query.matmul(key.swap_dims(1, 2)) + mask;
            by_head(softmax(scores, 2).matmul(value))
        })
    };
    Tensor::cat(trees.into_iter().filter_map(of_tree).collect(), 0)
}

/// Score of a key that a query does not see: its weight underflows to 0.
const UNSEEN: f32 = -1e30;

/// Terms of the scores of a tree, `[1, queries, keys]`: 0 where a query sees a key, [`UNSEEN`] elsewhere.
fn mask(forest: &Forest, tree: Range<usize>, keys: Range<usize>, device: &Device) -> Tensor<3> {
    let mut mask = Vec::new();
    for index in tree {
        let (run, ancestors) = (forest.runs()[index], forest.ancestors(index));
        for offset in run.known()..run.length {
            let own = run.key_start..=run.key_start + offset;
            let sees = |key: usize| own.contains(&key) || ancestors.iter().any(|range| range.contains(&key));
            mask.extend(keys.clone().map(|key| if sees(key) { 0.0 } else { UNSEEN }));
        }
    }
    let queries = mask.len() / keys.len();
    Tensor::from_data(TensorData::new(mask, [1, queries, keys.len()]), device)
}

/// As [`crate::adamw`].
///
/// # Panics
/// As [`crate::adamw`].
pub fn adamw<const D: usize>(
    parameter: Tensor<D>,
    gradient: Tensor<D>,
    moments: Moments<D>,
    rule: &AdamW,
) -> (Tensor<D>, Moments<D>) {
    let by = rule.coefficients();
    let gradient = gradient * by.scale;
    let first = moments.first * by.beta1 + gradient.clone() * (1.0 - by.beta1);
    let second = moments.second * by.beta2 + gradient.square() * (1.0 - by.beta2);
    let step = first.clone() * by.rate / ((second.clone() * by.unbias).sqrt() + by.epsilon);
    (parameter * by.keep - step, Moments { first, second })
}

/// As [`crate::sum_of_squares`].
pub fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> Tensor<1> {
    tensor.square().sum()
}
