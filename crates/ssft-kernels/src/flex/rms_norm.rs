//! Root mean square normalisation on the CPU.

use super::parallel::*;
use super::wide::{sum_over, wide};

/// Rows of a task. The number is fixed, so that sums over rows do not depend on the number of cores.
const TASK_ROWS: usize = 64;

/// `y = w x r`, `r = 1 / sqrt(mean(x^2) + eps)`.
pub fn forward(input: &[f32], weight: &[f32], epsilon: f64) -> Vec<f32> {
    let (width, epsilon) = (weight.len(), epsilon as f32);
    let mut output = vec![0.0; input.len()];
    let tasks = output.par_chunks_mut(TASK_ROWS * width).zip(input.par_chunks(TASK_ROWS * width));
    tasks.for_each(|(output, input)| normalise(output, input, weight, epsilon));
    output
}

wide! {
    fn normalise(output: &mut [f32], input: &[f32], weight: &[f32], epsilon: f32) {
        let width = weight.len();
        for (output, input) in output.chunks_exact_mut(width).zip(input.chunks_exact(width)) {
            let scale = inverse_root(input, epsilon);
            for ((y, &x), &w) in output.iter_mut().zip(input).zip(weight) {
                *y = x * scale * w;
            }
        }
    }
}

/// `1 / sqrt(mean(row^2) + eps)`.
#[inline(always)]
fn inverse_root(row: &[f32], epsilon: f32) -> f32 {
    let squares = sum_over(row, row, |a, b| a * b);
    1.0 / (squares / row.len() as f32 + epsilon).sqrt()
}

/// Gradients of input and weight. With the upstream gradient `d` of a row, `dx = r (w d) - x r^3 mean(x w d)`, and `dw` is
/// the sum of `d x r` over the rows.
pub fn backward(input: &[f32], weight: &[f32], epsilon: f64, upstream: &[f32]) -> [Vec<f32>; 2] {
    let (width, epsilon) = (weight.len(), epsilon as f32);
    let size = TASK_ROWS * width;
    let mut gradient = vec![0.0; input.len()];
    let tasks = gradient.par_chunks_mut(size).zip(input.par_chunks(size)).zip(upstream.par_chunks(size));
    let parts: Vec<Vec<f32>> = tasks
        .map(|((gradient, input), upstream)| {
            let mut part = vec![0.0; width];
            gradients(gradient, &mut part, [input, upstream, weight], epsilon);
            part
        })
        .collect();
    let total = |column: usize| parts.iter().map(|part| f64::from(part[column])).sum::<f64>() as f32;
    [gradient, (0..width).map(total).collect()]
}

wide! {
    fn gradients(dx: &mut [f32], dw: &mut [f32], from: [&[f32]; 3], epsilon: f32) {
        let [input, upstream, weight] = from;
        let width = weight.len();
        let rows = dx.chunks_exact_mut(width).zip(input.chunks_exact(width)).zip(upstream.chunks_exact(width));
        for ((dx, x), d) in rows {
            let scale = inverse_root(x, epsilon);
            // dx holds the upstream gradient times the weight until the mean is known.
            for ((dx, &d), &w) in dx.iter_mut().zip(d).zip(weight) {
                *dx = d * w;
            }
            let along = sum_over(x, dx, |a, b| a * b) * scale * scale / width as f32;
            for (((dx, dw), &x), &d) in dx.iter_mut().zip(dw.iter_mut()).zip(x).zip(d) {
                *dx = scale * (*dx - x * along);
                *dw += d * x * scale;
            }
        }
    }
}
