//! `segment_mean`, forward and backward.

use super::{devices, draw, error, numbers, vector};
use burn::tensor::Device;
use ssft_kernels::{reference, segment_mean};

/// Lengths around the 64 lanes of a workgroup, and more segments than a dispatch has groups in a row.
fn lengths() -> Vec<Vec<usize>> {
    let mixed = vec![1, 2, 63, 64, 65, 127, 128, 129, 1, 1000, 3];
    vec![vec![1], vec![7], mixed, vec![1; 65_536], vec![2; 65_537]]
}

#[test]
fn means_equal_the_formula() {
    for (name, device) in devices() {
        for lengths in lengths() {
            let values = draw(5, lengths.iter().sum());
            let mut rest = &values[..];
            let mut exact = Vec::new();
            for &length in &lengths {
                let (run, others) = rest.split_at(length);
                exact.push(run.iter().map(|&value| f64::from(value)).sum::<f64>() / length as f64);
                rest = others;
            }
            let plain =
                error(&numbers(reference::segment_mean(vector(&values, &Device::flex()), &lengths)), &exact);
            let ours = error(&numbers(segment_mean(vector(&values, &device), &lengths)), &exact);
            // Values are below 1; a tree of sums rounds a few times more or less than a plain one.
            let allowed = plain + 2.0 * f64::from(f32::EPSILON);
            assert!(ours <= allowed, "{name}: {ours:e} off, allowed {allowed:e}");
        }
    }
}

#[test]
fn a_nan_stays_in_its_segment() {
    for (name, device) in devices() {
        let means = numbers(segment_mean(vector(&[f32::NAN, 1.0, 1.0, 3.0], &device), &[1, 2, 1]));
        assert!(means[0].is_nan(), "{name}");
        assert_eq!(means[1..], [1.0, 3.0], "{name}");
    }
}

#[test]
fn the_gradient_is_shared_by_a_segment() {
    for (name, device) in devices() {
        let device = device.autodiff();
        let values = vector(&draw(3, 6), &device).require_grad();
        let means = segment_mean(values.clone(), &[2, 1, 3]);
        let gradients = (means * vector(&[1.0, 5.0, 6.0], &device)).sum().backward();
        assert_eq!(numbers(values.grad(&gradients).unwrap()), [0.5, 0.5, 5.0, 2.0, 2.0, 2.0], "{name}");
    }
}

#[test]
#[should_panic(expected = "an empty segment has no mean")]
fn an_empty_segment_is_refused() {
    segment_mean(vector(&[1.0], &Device::flex()), &[1, 0]);
}

#[test]
#[should_panic(expected = "3 values against lengths that add up to 2")]
fn lengths_that_do_not_add_up_are_refused() {
    segment_mean(vector(&[1.0, 2.0, 3.0], &Device::flex()), &[1, 1]);
}
