//! Memory that CubeCL's pools reserve on a GPU during many training steps.

use crate::arm::Arm;
use crate::error::BenchError;
use crate::origin::Origin;
use crate::steps::Bench;
use crate::workload::Workload;
use burn::tensor::Device;
use serde_json::{Value, json};
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

/// Runs one step to warm up and `steps` more, and reads the pools of the GPU up to ten times.
///
/// # Errors
/// [`BenchError::Train`] of the first step that fails, [`BenchError::NoPools`] on the CPU.
pub fn measure(workload: &Workload, steps: usize, device: &Device) -> Result<Vec<Point>, BenchError> {
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
        let bytes = ssft_kernels::memory::reserved_bytes(device).ok_or(BenchError::NoPools)?;
        let step_ms = started.elapsed().as_secs_f64() * 1e3 / (until - from) as f64;
        points.push(Point { steps: until, bytes, step_ms });
    }
    Ok(points)
}

/// Rows of a JSON file, one for each point. `parameters` is the size of the model.
pub fn rows(points: &[Point], parameters: usize, origin: &Origin) -> Vec<Value> {
    let row = |point: &Point| {
        json!({
            "name": "memory", "device": origin.device, "variant": Arm::SsftLazy.name(),
            "shape": {"parameters": parameters}, "steps": point.steps, "reserved_bytes": point.bytes,
            "step_ms": point.step_ms,
        })
    };
    points.iter().map(row).collect()
}
