// The gate of a feed-forward network, arXiv 2002.05202:
//
//   y = silu(gate) up      silu(x) = x / (1 + exp(-x))
//
// gate, up, output [count].
//
// One lane a number.

struct Shape {
    count: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read_write> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

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
    output[at] = gate[at] * sigmoid(gate[at]) * up[at];
}
