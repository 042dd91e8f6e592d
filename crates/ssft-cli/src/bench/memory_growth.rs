//! Memory that CubeCL's pools reserve on a GPU during many training steps.

use super::output::{Origin, mebibytes, three_digits};
use super::steps::{Arm, Bench, Workload};
use crate::table::{align_figures, plain, trimmed};
use burn::tensor::Device;
use serde_json::{Value, json};
use ssft_train::TrainError;
use std::time::Instant;

/// Readings of the pools, evenly spaced over the steps.
const POINTS: usize = 10;

/// The reserved memory after some steps.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Steps so far.
    pub steps: usize,
    /// Bytes that the pools reserve, in use or not.
    pub bytes: u64,
    /// Mean duration of the steps since the last point, in ms.
    pub step_ms: f64,
}

/// Runs one step to warm up and `steps` more on a GPU, and reads its pools up to ten times.
///
/// # Errors
/// [`TrainError`] of the first step that fails.
pub fn measure(workload: &Workload, steps: usize, device: &Device) -> Result<Vec<Point>, TrainError> {
    let mut points = Vec::new();
    let bench = Bench::new(workload, Arm::SsftLazy, device);
    bench.step();
    let mut done = 0;
    for point in 1..=POINTS {
        let (from, until, started) = (done, steps * point / POINTS, Instant::now());
        for _ in from..until {
            bench.step();
        }
        done = until;
        if until == from {
            continue;
        }
        bench.medians(1)?;
        let bytes = ssft_kernels::memory::reserved_bytes(device).expect("a GPU: the CPU has no pools");
        let step_ms = started.elapsed().as_secs_f64() * 1e3 / (until - from) as f64;
        points.push(Point { steps: until, bytes, step_ms });
    }
    Ok(points)
}

/// One object per point.
pub fn rows(points: &[Point], parameters: usize, origin: &Origin) -> Vec<Value> {
    let row = |point: &Point| {
        json!({
            "name": "memory", "device": origin.device(), "variant": Arm::SsftLazy.name(),
            "shape": {"parameters": parameters}, "steps": point.steps, "reserved_bytes": point.bytes,
            "step_ms": point.step_ms,
        })
    };
    points.iter().map(row).collect()
}

/// One line per point.
pub fn table(points: &[Point]) -> String {
    let mut table = plain(["steps", "reserved MiB", "ms per step"]);
    for point in points {
        table.add_row([point.steps.to_string(), mebibytes(point.bytes), three_digits(point.step_ms)]);
    }
    align_figures(&mut table);
    trimmed(&table)
}
