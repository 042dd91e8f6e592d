//! Every kernel compared with its formula in f64, on the CPU and on the first adapter that wgpu finds.
//!
//! The tests fail on a machine without an adapter: tests that pass because they did not run would hide errors.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod attention;
mod exact;
mod linear;
mod linear_nll;
mod optimizer;
mod rms_norm;
mod rotary;
mod swiglu;
mod yardstick;

use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ssft_kernels::adapters::adapters;
use std::sync::LazyLock;

/// The CPU and the preferred adapter, each with its name.
fn devices() -> [(&'static str, Device); 2] {
    /// Started once per process.
    static ADAPTER: LazyLock<Device> = LazyLock::new(|| {
        let adapters = pollster::block_on(adapters());
        let adapter =
            adapters.first().expect("no graphics adapter; `cargo xtask setup` installs a software one");
        pollster::block_on(adapter.start()).unwrap()
    });
    [("cpu", Device::flex()), ("wgpu", ADAPTER.clone())]
}

#[test]
fn every_device_passes_its_self_test() {
    for (name, device) in devices() {
        let outcome = pollster::block_on(ssft_kernels::self_test::self_test(&device));
        assert!(outcome.is_ok(), "{name}: {}", outcome.unwrap_err());
    }
}

/// Pseudorandom numbers between -1 and 1.
fn draw(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| 2.0 * rng.random::<f32>() - 1.0).collect()
}

fn matrix(values: &[f32], width: usize, device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len() / width, width]), device)
}

fn vector(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), device)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

/// Largest difference of a number from its exact value; infinite for NaN.
fn error(found: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let distance = |(&found, &exact): (&f32, &f64)| {
        let distance = (f64::from(found) - exact).abs();
        if distance.is_nan() { f64::INFINITY } else { distance }
    };
    found.iter().zip(exact).map(distance).fold(0.0, f64::max)
}
