//! `adamw` and `sum_of_squares`.

use super::yardstick::{ROUNDING, wide};
use super::{devices, draw, error, matrix, numbers, vector};
use burn::tensor::{Device, Tensor};
use ssft_kernels::{AdamW, Moments, adamw, reference, sum_of_squares};

fn rule(time: usize) -> AdamW {
    AdamW { rate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.1, scale: 0.7, time }
}

fn moments(device: &Device, count: usize) -> Moments<1> {
    Moments { first: vector(&vec![0.0; count], device), second: vector(&vec![0.0; count], device) }
}

type Operation = fn(Tensor<1>, Tensor<1>, Moments<1>, &AdamW) -> (Tensor<1>, Moments<1>);

const STEPS: usize = 5;

/// Parameter, first and second moment after a few steps.
fn trained(operation: Operation, count: usize, device: &Device) -> [Vec<f32>; 3] {
    let mut parameter = vector(&draw(1, count), device);
    let mut kept = moments(device, count);
    for time in 1..=STEPS {
        let gradient = vector(&draw(1 + time as u64, count), device);
        (parameter, kept) = operation(parameter, gradient, kept, &rule(time));
    }
    [parameter, kept.first, kept.second].map(numbers)
}

fn exact(count: usize) -> [Vec<f64>; 3] {
    let (mut p, mut m, mut v) = (wide(&draw(1, count)), vec![0.0; count], vec![0.0; count]);
    for time in 1..=STEPS {
        let AdamW { rate, beta1, beta2, epsilon, weight_decay, scale, .. } = rule(time);
        let [rate, beta1, beta2, epsilon, decay, scale] =
            [rate, beta1, beta2, epsilon, weight_decay, scale].map(f64::from);
        for (i, g) in wide(&draw(1 + time as u64, count)).into_iter().enumerate() {
            let g = scale * g;
            m[i] = beta1 * m[i] + (1.0 - beta1) * g;
            v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
            let (mean, square) =
                (m[i] / (1.0 - beta1.powi(time as i32)), v[i] / (1.0 - beta2.powi(time as i32)));
            p[i] = p[i] * (1.0 - rate * decay) - rate * mean / (square.sqrt() + epsilon);
        }
    }
    [p, m, v]
}

#[test]
fn updates_equal_the_formula() {
    for count in [1, 2, 7, 255, 256, 257, 1009, 16_385, 70_001] {
        let exact = exact(count);
        let plain = trained(reference::adamw, count, &Device::flex());
        for (name, device) in devices() {
            let found = trained(adamw, count, &device);
            for (part, ((found, plain), exact)) in found.iter().zip(&plain).zip(&exact).enumerate() {
                let largest = exact.iter().copied().map(f64::abs).fold(0.0, f64::max);
                let (ours, plain) = (error(found, exact), error(plain, exact));
                // A product may be fused with a sum, and WGSL's divisions and square roots have errors of up to 5 roundings
                // where the CPU's have one. Per step they contribute at most 1/100 of a parameter.
                let allowed = plain + 2.0 * STEPS as f64 * ROUNDING * largest;
                println!("{name}, {count}, part {part}: {ours:e} off, plain {plain:e}, of {largest:e}");
                assert!(
                    ours <= allowed,
                    "{name}, {count} numbers, part {part}: {ours:e} off, allowed {allowed:e}"
                );
            }
        }
    }
}

#[test]
fn shared_memory_is_not_changed() {
    for (name, device) in devices() {
        let count = 300;
        let (before, gradient) = (vector(&draw(1, count), &device), vector(&draw(2, count), &device));
        let kept = Moments {
            first: vector(&draw(3, count), &device),
            second: vector(&draw(4, count), &device).abs(),
        };
        let held = [&before, &gradient, &kept.first, &kept.second].map(|tensor| numbers(tensor.clone()));
        let (shared, shared_moments) = adamw(before.clone(), gradient.clone(), kept.clone(), &rule(3));
        let after = [&before, &gradient, &kept.first, &kept.second].map(|tensor| numbers(tensor.clone()));
        assert_eq!(after, held, "{name}");
        let (own, own_moments) = adamw(before, gradient, kept, &rule(3));
        assert_eq!(numbers(own), numbers(shared), "{name}: in place or not");
        assert_eq!(numbers(own_moments.first), numbers(shared_moments.first), "{name}");
        assert_eq!(numbers(own_moments.second), numbers(shared_moments.second), "{name}");
    }
}

#[test]
fn views_of_any_rank_are_updated() {
    for (name, device) in devices() {
        let straight = |seed: u64| matrix(&draw(seed, 60), 5, &device);
        let turned = |seed: u64| straight(seed).transpose().mul_scalar(1.0).transpose();
        let cut = |seed: u64| Tensor::cat(vec![straight(9), straight(seed)], 0).narrow(0, 12, 12);
        let update = |of: &dyn Fn(u64) -> Tensor<2>| {
            let kept = Moments { first: of(3), second: of(4).abs() };
            let (parameter, kept) = adamw(of(1), of(2), kept, &rule(2));
            [parameter, kept.first, kept.second].map(numbers)
        };
        assert_eq!(update(&turned), update(&straight), "{name}");
        assert_eq!(update(&cut), update(&straight), "{name}");
    }
}

#[test]
fn a_nan_gradient_stays_where_it_is() {
    for (name, device) in devices() {
        let mut gradient = draw(2, 50);
        gradient[11] = f32::NAN;
        let found =
            adamw(vector(&draw(1, 50), &device), vector(&gradient, &device), moments(&device, 50), &rule(1));
        for part in [found.0, found.1.first, found.1.second].map(numbers) {
            assert!(part.iter().enumerate().all(|(at, value)| value.is_nan() == (at == 11)), "{name}");
        }
    }
}

#[test]
#[should_panic(expected = "adamw: a parameter [3] against [4]")]
fn moments_of_another_shape_are_refused() {
    let device = Device::flex();
    let of = |count: usize| vector(&vec![0.0; count], &device);
    adamw(of(3), of(3), Moments { first: of(3), second: of(4) }, &rule(1));
}

#[test]
fn sums_of_squares_equal_the_formula() {
    // Around the lanes of a workgroup, one workgroup's piece, and many pieces of which the last one is short.
    for count in [1, 2, 255, 256, 257, 1023, 1025, 65_536, 65_537, 200_003, 1_100_001] {
        let values = draw(3, count);
        let exact = [wide(&values).iter().map(|value| value * value).sum::<f64>()];
        let plain = error(&numbers(reference::sum_of_squares(vector(&values, &Device::flex()))), &exact);
        for (name, device) in devices() {
            let found = || numbers(sum_of_squares(vector(&values, &device)));
            let (ours, again) = (found(), found());
            assert_eq!(ours, again, "{name}: the same bits");
            let off = error(&ours, &exact);
            // A lane sums at most 64 numbers in each of 4 parts. All are positive, so the error is relative to the sum.
            let allowed = plain + 64.0 * ROUNDING * exact[0];
            println!(
                "{name}, {count} squares: {:e} off, plain {:e}, relative",
                off / exact[0],
                plain / exact[0]
            );
            assert!(off <= allowed, "{name}, {count} numbers: {off:e} off, allowed {allowed:e}");
        }
    }
}

#[test]
fn sums_of_squares_of_views_and_nan() {
    for (name, device) in devices() {
        let values = matrix(&draw(1, 700), 7, &device);
        let column = numbers(values.clone().narrow(1, 2, 3)).iter().map(|x| x * x).sum::<f32>();
        let found = numbers(sum_of_squares(values.narrow(1, 2, 3)))[0];
        assert!((found - column).abs() < 1e-4 * column, "{name}: {found} against {column}");
        for at in [0, 70_000] {
            let mut values = draw(1, 70_001);
            values[at] = f32::NAN;
            assert!(numbers(sum_of_squares(vector(&values, &device)))[0].is_nan(), "{name}");
        }
    }
}
