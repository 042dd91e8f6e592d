//! `rotary`, forward and backward.

use super::yardstick::{Case, ROUNDING, run, wide};
use super::{devices, draw, matrix, numbers, vector};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{reference, rotary};

type Operation = fn(Tensor<3>, Tensor<2>) -> Tensor<3>;

/// Cosines of a token's angles, then their sines.
fn angles(tokens: usize, half: usize) -> Vec<f32> {
    let angle = |token: usize, i: usize| (token * 13) as f64 * 0.7f64.powi(i as i32 + 1);
    let of_token = |token: usize| {
        let angles = (0..half).map(move |i| angle(token, i));
        angles.clone().map(|angle| angle.cos() as f32).chain(angles.map(|angle| angle.sin() as f32))
    };
    (0..tokens).flat_map(of_token).collect()
}

fn rotated(input: &[f32], angles: &[f32], [heads, head_dim]: [usize; 2], sign: f64) -> Vec<f64> {
    let (input, angles, half) = (wide(input), wide(angles), head_dim / 2);
    let mut output = vec![0.0; input.len()];
    for head in 0..input.len() / head_dim {
        let angles = &angles[head / heads * head_dim..][..head_dim];
        for i in 0..half {
            let (at, cos, sin) = (head * head_dim + i, angles[i], sign * angles[half + i]);
            output[at] = input[at] * cos - input[at + half] * sin;
            output[at + half] = input[at + half] * cos + input[at] * sin;
        }
    }
    output
}

fn flat<'a>(
    operation: Operation,
    angles: &'a [f32],
    [heads, head_dim]: [usize; 2],
) -> impl Fn([Tensor<1>; 1]) -> Tensor<1> + 'a {
    move |[input]| {
        let (count, device) = (input.dims()[0], input.device());
        let input = input.reshape([count / heads / head_dim, heads, head_dim]);
        operation(input, matrix(angles, head_dim, &device)).reshape([count])
    }
}

#[test]
fn shapes_that_hit_every_tail() {
    for (tokens, heads, head_dim) in [
        (1, 1, 2),
        (1, 3, 2),
        (3, 1, 4),
        (7, 5, 6),
        (64, 2, 8),
        (65, 3, 32),
        (2, 7, 64),
        (131, 1, 80),
        (9, 2, 256),
    ] {
        let (count, dims) = (tokens * heads * head_dim, [heads, head_dim]);
        let (input, upstream, angles) = (draw(1, count), draw(2, count), angles(tokens, head_dim / 2));
        let case = Case {
            name: format!("{tokens} tokens, {heads} heads of {head_dim}"),
            inputs: [&input],
            upstream: &upstream,
            exact: vec![rotated(&input, &angles, dims, 1.0), rotated(&upstream, &angles, dims, -1.0)],
            cancels: vec![0.0; 2],
            // Two products and a sum, one rounding each.
            tolerance: 3.0 * ROUNDING,
        };
        case.check(flat(rotary, &angles, dims), flat(reference::rotary, &angles, dims));
    }
}

#[test]
fn a_nan_stays_in_its_pair() {
    for (name, device) in devices() {
        let mut input = draw(1, 3 * 2 * 6);
        input[6 + 1] = f32::NAN; // token 0, head 1, pair 1
        let found = run(flat(rotary, &angles(3, 3), [2, 6]), [&input], &draw(2, 36), &device);
        let lost = |index: usize| [7, 10].contains(&index);
        assert!(found[0].iter().enumerate().all(|(at, value)| value.is_nan() == lost(at)), "{name}");
        assert!(found[1].iter().all(|value| value.is_finite()), "{name}: a rotation is linear");
    }
}

#[test]
fn views_give_the_same_bits_and_bits_repeat() {
    for (name, device) in devices() {
        let (values, angles) = (draw(1, 9 * 2 * 4), angles(9, 2));
        let input = vector(&values, &device).reshape([9, 2, 4]);
        let angles = matrix(&angles, 4, &device);
        let straight = numbers(rotary(input.clone(), angles.clone()));
        let rotated = input.clone().swap_dims(0, 1).mul_scalar(1.0).swap_dims(0, 1);
        let cut = Tensor::cat(vec![input.clone(), input], 2).narrow(2, 4, 4);
        for view in [rotated, cut] {
            assert_eq!(numbers(rotary(view, angles.clone())), straight, "{name}");
        }
        let more = Tensor::cat(vec![angles.clone(), angles], 0).narrow(0, 9, 9);
        let input = vector(&values, &device).reshape([9, 2, 4]);
        assert_eq!(numbers(rotary(input, more)), straight, "{name}");
    }
}

#[test]
fn an_untracked_input_gives_the_same() {
    for (name, device) in devices() {
        let (values, angles) = (draw(1, 48), angles(2, 3));
        let tracked = run(flat(rotary, &angles, [4, 6]), [&values], &draw(2, 48), &device);
        for device in [device.clone(), device.autodiff()] {
            let found = flat(rotary, &angles, [4, 6])([vector(&values, &device)]);
            assert_eq!(numbers(found), tracked[0], "{name}");
        }
    }
}

#[test]
#[should_panic(expected = "rotary: input [2, 1, 3] against angles [2, 3]")]
fn an_odd_head_is_refused() {
    let device = Device::flex();
    rotary(vector(&draw(1, 6), &device).reshape([2, 1, 3]), matrix(&draw(2, 6), 3, &device));
}

#[test]
#[should_panic(expected = "rotary: input [2, 1, 4] against angles [3, 4]")]
fn angles_of_other_tokens_are_refused() {
    let device = Device::flex();
    rotary(vector(&draw(1, 8), &device).reshape([2, 1, 4]), matrix(&draw(2, 12), 4, &device));
}
