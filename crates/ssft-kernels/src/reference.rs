//! Every operation in plain tensors: what the kernels have to equal, and what they have to beat.

use crate::{Targets, check_linear_nll, check_segment_mean};
use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

/// As [`crate::linear_nll`], with all logits in memory: the largest intermediate is `targets * vocab` numbers, and
/// gradients keep several of them.
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

/// As [`crate::segment_mean`].
///
/// # Shapes, panics
/// As [`crate::segment_mean`].
pub fn segment_mean(values: Tensor<1>, lengths: &[usize]) -> Tensor<1> {
    check_segment_mean(&values, lengths);
    let (segments, longest) = (lengths.len(), lengths.iter().copied().max().unwrap_or(0));
    let mut index = Vec::with_capacity(segments * longest);
    let mut weight = Vec::with_capacity(segments * longest);
    let mut start = 0;
    for &length in lengths {
        // Padding repeats the segment's own last value with weight 0, so that a NaN stays in its segment.
        index.extend((0..longest).map(|offset| (start + offset.min(length - 1)) as i32));
        weight.extend((0..longest).map(|offset| if offset < length { 1.0 / length as f32 } else { 0.0 }));
        start += length;
    }
    let device = values.device();
    let index = Tensor::<1, Int>::from_data(TensorData::new(index, [segments * longest]), &device);
    let weight = Tensor::<2>::from_data(TensorData::new(weight, [segments, longest]), &device);
    (values.select(0, index).reshape([segments, longest]) * weight).sum_dim(1).reshape([segments])
}
