//! `rms_norm`, forward and backward.

use super::yardstick::{Case, ROUNDING, check_tracking, run, wide};
use super::{devices, draw, matrix, numbers, vector};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{reference, rms_norm};

const EPSILON: f64 = 1e-5;

type Operation = fn(Tensor<2>, Tensor<1>, f64) -> Tensor<2>;

fn flat(operation: Operation, width: usize) -> impl Fn([Tensor<1>; 2]) -> Tensor<1> {
    move |[input, weight]| {
        let rows = input.dims()[0] / width;
        operation(input.reshape([rows, width]), weight, EPSILON).reshape([rows * width])
    }
}

/// Results and gradients, one number at a time, and the largest of the two terms of a gradient, which can cancel.
fn exact(input: &[f32], weight: &[f32], upstream: &[f32]) -> (Vec<Vec<f64>>, f64) {
    let (width, weight) = (weight.len(), wide(weight));
    let (mut results, mut of_input, mut of_weight) = (Vec::new(), Vec::new(), vec![0.0; width]);
    let mut largest = 0.0f64;
    for (x, d) in wide(input).chunks(width).zip(wide(upstream).chunks(width)) {
        let r = 1.0 / (x.iter().map(|x| x * x).sum::<f64>() / width as f64 + EPSILON).sqrt();
        let along = (0..width).map(|i| x[i] * weight[i] * d[i]).sum::<f64>() / width as f64;
        for i in 0..width {
            results.push(weight[i] * x[i] * r);
            largest = largest.max((r * weight[i] * d[i]).abs());
            of_input.push(r * weight[i] * d[i] - x[i] * r.powi(3) * along);
            of_weight[i] += d[i] * x[i] * r;
        }
    }
    (vec![results, of_input, of_weight], largest)
}

fn check(rows: usize, width: usize, size: f32) {
    let input: Vec<f32> = draw(1, rows * width).iter().map(|x| x * size).collect();
    let (weight, upstream) = (draw(2, width), draw(3, rows * width));
    let (exact, largest) = exact(&input, &weight, &upstream);
    let case = Case {
        name: format!("{rows} rows of {width}, up to {size}"),
        inputs: [&input, &weight],
        upstream: &upstream,
        exact,
        cancels: vec![0.0, largest, 0.0],
        // Sums in another order, and WGSL allows an error of 2.5 units in the last place in a division and slightly more in
        // a square root: about 8 roundings of a number, and 8 of the sum in a gradient.
        tolerance: 16.0 * ROUNDING,
    };
    case.check(flat(rms_norm, width), flat(reference::rms_norm, width));
}

#[test]
fn shapes_that_hit_every_tail() {
    for (rows, width) in [
        (1, 1),
        (1, 2),
        (2, 1),
        (3, 7),
        (7, 63),
        (5, 64),
        (4, 65),
        (64, 31),
        (65, 128),
        (129, 4),
        (2, 1009),
        (300, 130),
        (4099, 3),
    ] {
        check(rows, width, 1.0);
    }
}

#[test]
fn large_and_small_numbers() {
    for size in [1e-6, 1e4] {
        check(5, 48, size);
    }
}

#[test]
fn a_nan_stays_in_its_row() {
    for (name, device) in devices() {
        let mut input = draw(1, 5 * 70);
        input[2 * 70 + 3] = f32::NAN;
        let found = run(flat(rms_norm, 70), [&input, &draw(2, 70)], &draw(3, 5 * 70), &device);
        for part in &found[..2] {
            for (row, values) in part.chunks(70).enumerate() {
                assert!(values.iter().all(|value| value.is_nan() == (row == 2)), "{name}: row {row}");
            }
        }
        assert!(found[2].iter().all(|value| value.is_nan()), "{name}: that row is in every sum");
    }
}

#[test]
fn gradients_flow_to_tracked_inputs_only() {
    let (input, weight, upstream) = (draw(1, 66), draw(2, 6), draw(3, 66));
    check_tracking(flat(rms_norm, 6), [&input, &weight], &upstream);
}

#[test]
fn views_give_the_same_bits_and_bits_repeat() {
    for (name, device) in devices() {
        let (input, weight) = (matrix(&draw(1, 130 * 20), 20, &device), vector(&draw(2, 20), &device));
        let straight = numbers(rms_norm(input.clone(), weight.clone(), EPSILON));
        let turned = input.clone().transpose().mul_scalar(1.0).transpose();
        let padded = Tensor::cat(vec![input.clone(), input], 1).narrow(1, 20, 20);
        for view in [turned, padded] {
            assert_eq!(numbers(rms_norm(view, weight.clone(), EPSILON)), straight, "{name}");
        }
        let again = || run(flat(rms_norm, 20), [&draw(1, 2600), &draw(2, 20)], &draw(3, 2600), &device);
        assert_eq!(again(), again(), "{name}");
    }
}

#[test]
#[should_panic(expected = "rms_norm: input [2, 3] against weight [4]")]
fn different_widths_are_refused() {
    let device = Device::flex();
    rms_norm(matrix(&draw(1, 6), 3, &device), vector(&draw(2, 4), &device), EPSILON);
}
