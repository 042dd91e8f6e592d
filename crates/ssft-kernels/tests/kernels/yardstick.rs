//! Checks that all operations share: comparison with the formula in f64, and flow of gradients.
//!
//! The error that a kernel may have is that of plain tensors in f32 on the CPU, plus a tolerance.

use super::{devices, error, numbers, vector};
use burn::tensor::{Device, Tensor};

/// Largest relative error of one rounding: half the distance from 1 to the next number.
pub const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

/// A check of an operation with `N` inputs, all of them flat.
#[derive(Debug)]
pub struct Case<'a, const N: usize> {
    pub name: String,
    pub inputs: [&'a [f32]; N],
    /// Weight of each result in `loss = sum_i upstream[i] result[i]`.
    pub upstream: &'a [f32],
    /// The exact results, then the exact gradient of each input.
    pub exact: Vec<Vec<f64>>,
    /// For the results and each gradient, the largest magnitude of the terms that cancel in them.
    pub cancels: Vec<f64>,
    /// Error that is allowed in addition to the error of plain tensors, relative to the largest number or to what cancels.
    pub tolerance: f64,
}

/// The results, then the gradient of each input that has one.
pub fn run<const N: usize>(
    operation: impl Fn([Tensor<1>; N]) -> Tensor<1>,
    inputs: [&[f32]; N],
    upstream: &[f32],
    device: &Device,
) -> Vec<Vec<f32>> {
    let device = device.clone().autodiff();
    let tracked = inputs.map(|input| vector(input, &device).require_grad());
    let results = operation(tracked.clone());
    let gradients = (results.clone() * vector(upstream, &device)).sum().backward();
    let gradients = tracked.iter().filter_map(|input| input.grad(&gradients)).map(numbers);
    std::iter::once(numbers(results)).chain(gradients).collect()
}

impl<const N: usize> Case<'_, N> {
    /// Panics if the error of `ours` is larger than the error of `plain` and the tolerance allow.
    pub fn check(
        &self,
        ours: impl Fn([Tensor<1>; N]) -> Tensor<1>,
        plain: impl Fn([Tensor<1>; N]) -> Tensor<1>,
    ) {
        let plain = run(plain, self.inputs, self.upstream, &Device::flex());
        for (device_name, device) in devices() {
            let found = run(&ours, self.inputs, self.upstream, &device);
            assert_eq!(found.len(), self.exact.len(), "{device_name}, {}", self.name);
            for (part, ((found, plain), exact)) in found.iter().zip(&plain).zip(&self.exact).enumerate() {
                let largest = exact.iter().copied().map(f64::abs).fold(self.cancels[part], f64::max);
                let (ours, plain) = (error(found, exact), error(plain, exact));
                let allowed = plain + self.tolerance * largest;
                report(device_name, &self.name, part, [ours, plain, largest]);
                assert!(
                    ours <= allowed,
                    "{device_name}, {}: {} is {ours:e} off, allowed {allowed:e}",
                    self.name,
                    name_of(part)
                );
            }
        }
    }
}

fn name_of(part: usize) -> String {
    if part == 0 { "the result".to_owned() } else { format!("the gradient of input {part}") }
}

/// Checks that each input gets its gradient if it alone is tracked, that the others get none, and that the results are the
/// same without tracking.
pub fn check_tracking<const N: usize>(
    operation: impl Fn([Tensor<1>; N]) -> Tensor<1>,
    inputs: [&[f32]; N],
    upstream: &[f32],
) {
    for (name, device) in devices() {
        let all = run(&operation, inputs, upstream, &device);
        let tracking = device.clone().autodiff();
        for tracked in 0..N {
            let tensors: [Tensor<1>; N] = std::array::from_fn(|at| {
                let tensor = vector(inputs[at], &tracking);
                if at == tracked { tensor.require_grad() } else { tensor }
            });
            let results = operation(tensors.clone());
            let gradients = (results * vector(upstream, &tracking)).sum().backward();
            for (at, input) in tensors.iter().enumerate() {
                let found = input.grad(&gradients).map(numbers);
                assert_eq!(found, (at == tracked).then(|| all[at + 1].clone()), "{name}: input {at}");
            }
        }
        for device in [&device, &tracking] {
            let untracked = operation(inputs.map(|input| vector(input, device)));
            assert_eq!(numbers(untracked), all[0], "{name}, untracked");
        }
    }
}

/// Prints errors in multiples of one rounding of the largest number; `cargo test -- --nocapture` shows them.
fn report(device: &str, case: &str, part: usize, [ours, plain, largest]: [f64; 3]) {
    let in_roundings = |error: f64| error / (ROUNDING * largest.max(f64::MIN_POSITIVE));
    println!(
        "{device}, {case}: {} {:.1} roundings off, plain {:.1}",
        name_of(part),
        in_roundings(ours),
        in_roundings(plain)
    );
}

/// The numbers in f64.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
