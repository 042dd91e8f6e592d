//! `linear`, forward and backward.

use super::yardstick::{Case, ROUNDING, check_tracking, run, wide};
use super::{devices, draw, matrix, numbers, vector};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{column_major, linear, linear_onto, reference};

type Operation = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

fn flat(operation: Operation, [width, out]: [usize; 2]) -> impl Fn([Tensor<1>; 2]) -> Tensor<1> {
    move |[input, weight]| {
        let rows = input.dims()[0] / width;
        operation(input.reshape([rows, width]), weight.reshape([out, width])).reshape([rows * out])
    }
}

fn exact(input: &[f32], weight: &[f32], upstream: &[f32], [width, out]: [usize; 2]) -> Vec<Vec<f64>> {
    let (input, weight, upstream) = (wide(input), wide(weight), wide(upstream));
    let (mut results, mut of_input) = (vec![0.0; upstream.len()], vec![0.0; input.len()]);
    let mut of_weight = vec![0.0; weight.len()];
    for row in 0..input.len() / width {
        for column in 0..out {
            for k in 0..width {
                let (x, w, d) = (row * width + k, column * width + k, row * out + column);
                results[d] += input[x] * weight[w];
                of_input[x] += upstream[d] * weight[w];
                of_weight[w] += upstream[d] * input[x];
            }
        }
    }
    vec![results, of_input, of_weight]
}

#[test]
fn shapes_that_hit_every_tail() {
    // The last product is computed in blocks of rows and of columns.
    for (rows, width, out) in
        [(1, 1, 1), (1, 7, 33), (64, 64, 64), (65, 63, 31), (300, 16, 129), (1000, 20, 70)]
    {
        let dims = [width, out];
        let (input, weight, upstream) = (draw(1, rows * width), draw(2, out * width), draw(3, rows * out));
        let longest = rows.max(width).max(out) as f64;
        let case = Case {
            name: format!("{rows} rows, {width} to {out}"),
            inputs: [&input, &weight],
            upstream: &upstream,
            exact: exact(&input, &weight, &upstream, dims),
            cancels: vec![0.0; 3],
            // Sums in another order: a random walk of roundings of numbers below the largest result.
            tolerance: 2.0 * longest.sqrt() * ROUNDING,
        };
        case.check(flat(linear, dims), flat(reference::linear, dims));
    }
}

#[test]
fn a_column_major_weight_gives_the_same() {
    for (name, device) in devices() {
        for (rows, width, out) in [(1, 1, 1), (5, 33, 1), (7, 1, 33), (9, 70, 65), (1000, 33, 70)] {
            let matrix = |rows: usize, columns: usize, seed: u64| {
                vector(&draw(seed, rows * columns), &device).reshape([rows, columns])
            };
            let (input, weight, residual) =
                (matrix(rows, width, 1), matrix(out, width, 2), matrix(rows, out, 3));
            let columns = column_major(weight.clone());
            assert_eq!(numbers(columns.clone()), numbers(weight.clone()), "{name}: the same matrix");
            let results = |weight: Tensor<2>| {
                [linear(input.clone(), weight.clone()), linear_onto(input.clone(), weight, residual.clone())]
            };
            for (found, expected) in results(columns).into_iter().zip(results(weight)) {
                for (found, expected) in numbers(found).into_iter().zip(numbers(expected)) {
                    let tolerance = 4.0 * (width as f32).sqrt() * f32::EPSILON * expected.abs().max(1.0);
                    assert!((found - expected).abs() <= tolerance, "{name}, {rows} x {width} to {out}");
                }
            }
        }
    }
}

#[test]
fn a_nan_stays_in_its_row() {
    for (name, device) in devices() {
        let mut input = draw(1, 70 * 9);
        input[40 * 9 + 2] = f32::NAN;
        let found = run(flat(linear, [9, 5]), [&input, &draw(2, 45)], &draw(3, 70 * 5), &device);
        for (row, values) in found[0].chunks(5).enumerate() {
            assert!(values.iter().all(|value| value.is_nan() == (row == 40)), "{name}: row {row}");
        }
        assert!(found[1].iter().all(|value| value.is_finite()), "{name}: of the input");
        assert!(found[2].iter().enumerate().all(|(at, value)| value.is_nan() == (at % 9 == 2)), "{name}");
    }
}

#[test]
fn gradients_flow_to_tracked_inputs_only() {
    let (input, weight, upstream) = (draw(1, 66), draw(2, 18), draw(3, 33));
    check_tracking(flat(linear, [6, 3]), [&input, &weight], &upstream);
}

#[test]
fn views_give_the_same_and_bits_repeat() {
    for (name, device) in devices() {
        let (input, weight) = (matrix(&draw(1, 40 * 12), 12, &device), matrix(&draw(2, 96), 12, &device));
        let straight = numbers(linear(input.clone(), weight.clone()));
        assert_eq!(numbers(linear(input.clone(), weight.clone())), straight, "{name}");
        let padded = Tensor::cat(vec![input.clone(), input], 1).narrow(1, 12, 12);
        let found = numbers(linear(padded, weight));
        // A matrix product may sum in another order for another layout.
        let close = straight.iter().zip(&found).all(|(a, b)| (a - b).abs() <= 1e-5);
        assert!(close, "{name}");
    }
}

#[test]
#[should_panic(expected = "linear: input [2, 3] against weight [3, 2]")]
fn different_widths_are_refused() {
    let device = Device::flex();
    linear(matrix(&draw(1, 6), 3, &device), matrix(&draw(2, 6), 2, &device));
}

/// The reference is `linear` and a sum by burn: one more rounding of numbers below 10.
#[test]
fn linear_onto_adds_the_residual_and_passes_its_gradient_on() {
    let (input, weight, residual, upstream) =
        (draw(1, 70 * 9), draw(2, 5 * 9), draw(3, 70 * 5), draw(4, 70 * 5));
    for (name, device) in devices() {
        let tracking = device.clone().autodiff();
        let gradients = |operation: fn(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>| {
            let tensors = [(&input, 9), (&weight, 9), (&residual, 5)]
                .map(|(values, width)| matrix(values, width, &tracking).require_grad());
            let [x, w, r] = tensors.clone();
            let result = operation(x, w, r);
            let found = (result.clone() * matrix(&upstream, 5, &tracking)).sum().backward();
            [vec![numbers(result)], tensors.map(|tensor| numbers(tensor.grad(&found).unwrap())).to_vec()]
                .concat()
        };
        for (ours, plain) in gradients(linear_onto).iter().zip(gradients(|x, w, r| r + linear(x, w))) {
            assert!(ours.iter().zip(plain).all(|(a, b)| (a - b).abs() < 2e-6), "{name}");
        }
        // Without gradients the residual is overwritten only if no other tensor shares its memory.
        let [x, w, r] =
            [(&input, 9), (&weight, 9), (&residual, 5)].map(|(values, width)| matrix(values, width, &device));
        linear_onto(x, w, r.clone());
        assert_eq!(numbers(r), residual, "{name}");
    }
}
