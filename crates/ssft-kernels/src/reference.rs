//! Every operation in plain tensors: right before fast.

use burn::tensor::{Int, Tensor, TensorData, activation::log_softmax};

/// Negative log-likelihood of one target per row under a linear head:
/// `nll[r] = log(sum_v exp(h[r] . w[v])) - h[r] . w[target[r]]`, in nats.
///
/// Stores all logits; the largest intermediate is `rows * vocab` numbers.
///
/// # Shapes
/// `hidden [rows, width]`, `weight [vocab, width]` (the layout of a Hugging Face head or embedding),
/// `targets [rows]` with values below `vocab`; returns `[rows]`.
///
/// # Panics
/// If the widths differ, or the numbers of rows do.
pub fn linear_nll(hidden: Tensor<2>, weight: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    let [rows, width] = hidden.dims();
    let [vocab, weight_width] = weight.dims();
    let [target_rows] = targets.dims();
    assert_eq!(
        width, weight_width,
        "linear_nll: hidden [{rows}, {width}] against weight [{vocab}, {weight_width}]"
    );
    assert_eq!(rows, target_rows, "linear_nll: hidden [{rows}, {width}] against targets [{target_rows}]");
    let logits = hidden.matmul(weight.transpose());
    log_softmax(logits, 1).gather(1, targets.reshape([rows, 1])).neg().reshape([rows])
}

/// Mean of each of several contiguous runs of `values`: `mean[s] = (1 / lengths[s]) * sum(values of run s)`.
///
/// # Shapes
/// `values [sum of lengths]`; returns `[lengths.len()]`.
///
/// # Panics
/// If a length is 0 (a mean of nothing), or the lengths do not add up to the number of values.
pub fn segment_mean(values: Tensor<1>, lengths: &[usize]) -> Tensor<1> {
    let [total] = values.dims();
    let sum: usize = lengths.iter().sum();
    assert_eq!(total, sum, "segment_mean: {total} values against lengths that add up to {sum}");
    assert!(lengths.iter().all(|&length| length > 0), "segment_mean: an empty segment has no mean");
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

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// The formula in f64, one row at a time.
    fn nll_f64(hidden: &[f32], weight: &[f32], targets: &[i32], width: usize) -> Vec<f64> {
        let dot =
            |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&x, &y)| f64::from(x) * f64::from(y)).sum::<f64>();
        hidden
            .chunks(width)
            .zip(targets)
            .map(|(row, &target)| {
                let logits: Vec<f64> = weight.chunks(width).map(|column| dot(row, column)).collect();
                let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = logits.iter().map(|logit| (logit - max).exp()).sum();
                max + sum.ln() - logits[target as usize]
            })
            .collect()
    }

    fn check(rows: usize, width: usize, vocab: usize, scale: f32) {
        let mut rng = ChaCha8Rng::seed_from_u64((rows * 31 + width * 7 + vocab) as u64);
        let mut draw = |n: usize| (0..n).map(|_| scale * (rng.random::<f32>() - 0.5)).collect::<Vec<_>>();
        let (hidden, weight) = (draw(rows * width), draw(vocab * width));
        let targets: Vec<i32> = (0..rows).map(|row| ((row * 13 + 5) % vocab) as i32).collect();
        let device = Device::flex();
        let nll = linear_nll(
            Tensor::from_data(TensorData::new(hidden.clone(), [rows, width]), &device),
            Tensor::from_data(TensorData::new(weight.clone(), [vocab, width]), &device),
            Tensor::from_data(TensorData::new(targets.clone(), [rows]), &device),
        );
        let nll = nll.into_data().try_to_vec::<f32>().expect("f32");
        for (row, (ours, exact)) in nll.iter().zip(nll_f64(&hidden, &weight, &targets, width)).enumerate() {
            // A dot product of `width` products of size scale^2/4 and a log-sum-exp over `vocab` terms
            // each round a few times in f32; 4 roundings of the largest magnitude bound both.
            let magnitude = f64::from(scale * scale) * width as f64 / 4.0 + (vocab as f64).ln() + 1.0;
            let allowed = 4.0 * f64::from(f32::EPSILON) * magnitude;
            assert!(
                (f64::from(*ours) - exact).abs() <= allowed,
                "row {row}: {ours} against {exact}, allowed {allowed}"
            );
        }
    }

    #[test]
    fn nll_equals_the_formula_in_f64() {
        for (rows, width, vocab) in
            [(1, 1, 1), (1, 8, 2), (7, 16, 64), (8, 16, 65), (13, 31, 127), (3, 5, 1009)]
        {
            check(rows, width, vocab, 1.0);
            check(rows, width, vocab, 30.0);
        }
    }

    #[test]
    fn a_vocabulary_of_one_costs_nothing() {
        let device = Device::flex();
        let nll = linear_nll(
            Tensor::from_data([[3.0, -2.0]], &device),
            Tensor::from_data([[0.5, 9.0]], &device),
            Tensor::from_data([0], &device),
        );
        assert_eq!(nll.into_data().try_to_vec::<f32>().expect("f32"), [0.0]);
    }

    #[test]
    fn segment_means_by_hand() {
        let device = Device::flex();
        let values = Tensor::from_data([1.0, 3.0, 10.0, 2.0, 4.0, 9.0], &device);
        let means = segment_mean(values, &[2, 1, 3]);
        assert_eq!(means.into_data().try_to_vec::<f32>().expect("f32"), [2.0, 10.0, 5.0]);
    }

    #[test]
    fn a_nan_stays_in_its_segment() {
        let device = Device::flex();
        let means = segment_mean(Tensor::from_data([f32::NAN, 1.0, 1.0, 3.0], &device), &[1, 2, 1]);
        let means = means.into_data().try_to_vec::<f32>().expect("f32");
        assert!(means[0].is_nan());
        assert_eq!(means[1..], [1.0, 3.0]);
    }

    #[test]
    #[should_panic(expected = "an empty segment has no mean")]
    fn an_empty_segment_is_refused() {
        let values = Tensor::from_data([1.0], &Device::flex());
        segment_mean(values, &[1, 0]);
    }
}
