// Gradients of silu(gate) up, with d the upstream gradient and s = 1 / (1 + exp(-gate)):
//
//   d up = d gate s      d gate = d up s (1 + gate (1 - s))
//
// gate, up, upstream, gate_gradient, up_gradient [count].
//
// One lane a number.

struct Shape {
    count: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read_write> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gate_gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> up_gradient: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

// Below -87, where exp would leave the finite numbers, 1e-38 is as good as 0.
fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(min(-x, 87.0)));
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let at = (group.x + group.y * shape.groups_x) * 256u + lane;
    if at >= shape.count {
        return;
    }
    let g = gate[at];
    let d = upstream[at];
    let s = sigmoid(g);
    gate_gradient[at] = d * up[at] * s * (1.0 + g * (1.0 - s));
    up_gradient[at] = d * g * s;
}
