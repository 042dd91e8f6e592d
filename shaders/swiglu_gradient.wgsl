// Gradients of silu(gate) up, where d is the upstream gradient and s = 1 / (1 + exp(-gate)):
//
//   up_gradient = d gate s      gate_gradient = d up s (1 + gate (1 - s))
//
// Shapes: gate, up, upstream d, gate_gradient, up_gradient [count].
// Workgroups: 256 numbers each, one per lane.
// Source: arXiv 2002.05202.

#import "parts/entry.wgsl"
#import "parts/gate.wgsl"

@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read_write> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gate_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> up_gradient: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let at = id * LANES + lane;
    if at >= shape.count {
        return;
    }
    let g = gate[at];
    let d = upstream[at];
    let s = sigmoid(g);
    gate_gradient[at] = d * up[at] * s * (1.0 + g * (1.0 - s));
    up_gradient[at] = d * g * s;
}
