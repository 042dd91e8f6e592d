//! `swiglu`, forward and backward.

use super::yardstick::{Case, ROUNDING, check_tracking, run, wide};
use super::{devices, draw, matrix, numbers};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{reference, swiglu};

type Operation = fn(Tensor<2>, Tensor<2>) -> Tensor<2>;

fn flat(operation: Operation, width: usize) -> impl Fn([Tensor<1>; 2]) -> Tensor<1> {
    move |inputs| {
        let count = inputs[0].dims()[0];
        let [gate, up] = inputs.map(|input| input.reshape([count / width, width]));
        operation(gate, up).reshape([count])
    }
}

fn exact(gate: &[f32], up: &[f32], upstream: &[f32]) -> Vec<Vec<f64>> {
    let mut parts = vec![Vec::new(); 3];
    for ((g, u), d) in wide(gate).into_iter().zip(wide(up)).zip(wide(upstream)) {
        let s = 1.0 / (1.0 + (-g).exp());
        parts[0].push(g * s * u);
        parts[1].push(d * u * s * (1.0 + g * (1.0 - s)));
        parts[2].push(d * g * s);
    }
    parts
}

fn check(rows: usize, width: usize, size: f32) {
    let gate: Vec<f32> = draw(1, rows * width).iter().map(|x| x * size).collect();
    let (up, upstream) = (draw(2, rows * width), draw(3, rows * width));
    let case = Case {
        name: format!("{rows} rows of {width}, gates up to {size}"),
        inputs: [&gate, &up],
        upstream: &upstream,
        exact: exact(&gate, &up, &upstream),
        cancels: vec![0.0; 3],
        // WGSL allows an error of 3 + 2 |x| units in the last place in exp(x), each unit two roundings. The part with |x| is
        // damped by the slope of the sigmoid, which is below 1/4 and falls as x grows. A division takes 5 roundings, each
        // product one.
        tolerance: 16.0 * ROUNDING,
    };
    case.check(flat(swiglu, width), flat(reference::swiglu, width));
}

#[test]
fn shapes_that_hit_every_tail() {
    for (rows, width) in [(1, 1), (1, 3), (5, 51), (1, 255), (2, 128), (257, 1), (31, 1009), (3, 16_385)] {
        check(rows, width, 1.0);
    }
}

#[test]
fn large_and_small_gates() {
    for size in [1e-4, 30.0, 200.0] {
        check(3, 500, size);
    }
}

#[test]
fn very_large_gates_saturate() {
    for (name, device) in devices() {
        let gate = [1e4, -1e4, 1e30, -1e30, 0.0];
        let found = run(flat(swiglu, 5), [&gate, &[2.0; 5]], &[1.0; 5], &device);
        let expected = [[2e4, 0.0, 2e30, 0.0, 0.0], [2.0, 0.0, 2.0, 0.0, 1.0], [1e4, 0.0, 1e30, 0.0, 0.0]];
        for (found, expected) in found.iter().zip(expected) {
            // 1e30 times 1e-38, the value in place of 0.
            let close = |(found, expected): (&f32, f32)| (found - expected).abs() <= 1e-7 * expected.max(1.0);
            assert!(found.iter().zip(expected).all(close), "{name}: {found:?} against {expected:?}");
        }
    }
}

#[test]
fn a_nan_stays_where_it_is() {
    for (name, device) in devices() {
        let (mut gate, up) = (draw(1, 40), draw(2, 40));
        gate[7] = f32::NAN;
        for part in run(flat(swiglu, 8), [&gate, &up], &draw(3, 40), &device) {
            assert!(part.iter().enumerate().all(|(at, value)| value.is_nan() == (at == 7)), "{name}");
        }
    }
}

#[test]
fn gradients_flow_to_tracked_inputs_only() {
    let (gate, up, upstream) = (draw(1, 35), draw(2, 35), draw(3, 35));
    check_tracking(flat(swiglu, 7), [&gate, &up], &upstream);
}

#[test]
fn views_give_the_same_bits_and_bits_repeat() {
    for (name, device) in devices() {
        // Two halves of one matrix, the result of a fused projection.
        let both = matrix(&draw(1, 21 * 10), 10, &device);
        let [gate, up] = [0, 5].map(|from| both.clone().narrow(1, from, 5));
        let copied = |tensor: &Tensor<2>| matrix(&numbers(tensor.clone()), 5, &device);
        let straight = numbers(swiglu(copied(&gate), copied(&up)));
        assert_eq!(numbers(swiglu(gate.clone(), up.clone())), straight, "{name}");
        assert_eq!(numbers(swiglu(gate, up)), straight, "{name}");
    }
}

#[test]
#[should_panic(expected = "swiglu: gate [2, 3] against up [3, 2]")]
fn different_shapes_are_refused() {
    let device = Device::flex();
    swiglu(matrix(&draw(1, 6), 3, &device), matrix(&draw(2, 6), 2, &device));
}
