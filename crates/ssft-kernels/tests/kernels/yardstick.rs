//! What every operation is held against: the formula in f64, and the plain method's own error in f32.

use super::{devices, error, numbers, vector};
use burn::tensor::{Device, Tensor};

/// Half the distance from 1 to the next number: the relative error of one rounding.
pub const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;

/// An operation of `N` inputs, all of them as flat lists.
#[derive(Debug)]
pub struct Case<'a, const N: usize> {
    pub name: String,
    pub inputs: [&'a [f32]; N],
    /// Weight of each result in `loss = sum_i upstream[i] result[i]`.
    pub upstream: &'a [f32],
    /// The results, then the gradient of each input.
    pub exact: Vec<Vec<f64>>,
    /// For results and gradients, the largest magnitude that cancels on the way to one of them.
    pub cancels: Vec<f64>,
    /// What a result or a gradient may be off beyond the plain method's error, relative to the largest of its kind
    /// or to what cancels.
    pub tolerance: f64,
}

/// The results, then the gradient of each input that is tracked.
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
    /// Stops if `ours` is further from the formula than the plain method's error and the tolerance allow.
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

/// `cargo test -- --nocapture` shows how far off everything is, in roundings of the largest number of its kind.
fn report(device: &str, case: &str, part: usize, [ours, plain, largest]: [f64; 3]) {
    let in_roundings = |error: f64| error / (ROUNDING * largest.max(f64::MIN_POSITIVE));
    println!(
        "{device}, {case}: {} {:.1} roundings off, plain {:.1}",
        name_of(part),
        in_roundings(ours),
        in_roundings(plain)
    );
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
