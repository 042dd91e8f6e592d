//! Gate of a feed-forward network on the CPU.

use super::exponential::exp;
use super::parallel::*;
use super::wide::wide;

/// Numbers of a task.
const TASK: usize = 1 << 14;

/// Replaces `up` by `silu(gate) * up`.
pub fn forward_in_place(gate: &[f32], up: &mut [f32]) {
    up.par_chunks_mut(TASK).zip(gate.par_chunks(TASK)).for_each(|(up, gate)| gate_in_place(gate, up));
}

wide! {
    fn gate_in_place(gate: &[f32], up: &mut [f32]) {
        for (&g, u) in gate.iter().zip(up) {
            *u *= g * sigmoid(g);
        }
    }
}

/// `silu(gate) * up`.
pub fn forward(gate: &[f32], up: &[f32]) -> Vec<f32> {
    let mut output = vec![0.0; gate.len()];
    let tasks = output.par_chunks_mut(TASK).zip(gate.par_chunks(TASK)).zip(up.par_chunks(TASK));
    tasks.for_each(|((output, gate), up)| gated(output, gate, up));
    output
}

wide! {
    fn gated(output: &mut [f32], gate: &[f32], up: &[f32]) {
        for ((y, &g), &u) in output.iter_mut().zip(gate).zip(up) {
            *y = g * sigmoid(g) * u;
        }
    }
}

/// Gradients of gate and up: `d up = d silu(gate)`, `d gate = d up sigmoid(gate) (1 + gate (1 - sigmoid(gate)))`.
pub fn backward(gate: &[f32], up: &[f32], upstream: &[f32]) -> [Vec<f32>; 2] {
    let (mut of_gate, mut of_up) = (vec![0.0; gate.len()], vec![0.0; gate.len()]);
    let outputs = of_gate.par_chunks_mut(TASK).zip(of_up.par_chunks_mut(TASK));
    let inputs = gate.par_chunks(TASK).zip(up.par_chunks(TASK)).zip(upstream.par_chunks(TASK));
    outputs.zip(inputs).for_each(|((of_gate, of_up), ((gate, up), upstream))| {
        gradients(of_gate, of_up, gate, up, upstream);
    });
    [of_gate, of_up]
}

wide! {
    fn gradients(of_gate: &mut [f32], of_up: &mut [f32], gate: &[f32], up: &[f32], upstream: &[f32]) {
        let outputs = of_gate.iter_mut().zip(of_up);
        for ((of_gate, of_up), ((&g, &u), &d)) in outputs.zip(gate.iter().zip(up).zip(upstream)) {
            let sigmoid = sigmoid(g);
            *of_up = d * g * sigmoid;
            *of_gate = d * u * sigmoid * (1.0 + g * (1.0 - sigmoid));
        }
    }
}

/// Largest exponent that `exp` is applied to, so that its result is finite.
const LARGEST_EXPONENT: f32 = 87.0;

/// `1 / (1 + exp(-x))`; 1e-38 in place of 0 for x below -[`LARGEST_EXPONENT`].
#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp((-x).min(LARGEST_EXPONENT)))
}
