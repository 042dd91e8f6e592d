// Gate of a feed-forward network:
//
//   y = silu(gate) up      silu(x) = x / (1 + exp(-x))
//
// Shapes: gate, up, output y [count].
// Workgroups: 256 numbers each, one per lane.
// Source: arXiv 2002.05202.

#import "parts/entry.wgsl"
#import "parts/gate.wgsl"

@group(0) @binding(0) var<storage, read_write> gate: array<f32>;
@group(0) @binding(1) var<storage, read_write> up: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let at = id * LANES + lane;
    if at >= shape.count {
        return;
    }
    output[at] = gate[at] * sigmoid(gate[at]) * up[at];
}
