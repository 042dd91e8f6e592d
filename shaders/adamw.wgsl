// One AdamW update of a parameter p and its moments m and v, in place:
//
//   g' = scale g        m = beta1 m + (1 - beta1) g'        v = beta2 v + (1 - beta2) g'^2
//   p = keep p - rate m / (sqrt(v unbias) + epsilon)
//
// Shapes: parameter, gradient, first (m), second (v) [count]. The host computes keep = 1 - learning rate weight decay,
// rate = learning rate / (1 - beta1^time) and unbias = 1 / (1 - beta2^time).
// Workgroups: 256 numbers each, one per lane.
// Source: arXiv 1711.05101.

#import "parts/entry.wgsl"

struct Shape {
    count: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    scale: f32,
    keep: f32,
    rate: f32,
    unbias: f32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(1) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let at = id * LANES + lane;
    if at >= shape.count {
        return;
    }
    let g = gradient[at] * shape.scale;
    let m = shape.beta1 * first[at] + (1.0 - shape.beta1) * g;
    let v = shape.beta2 * second[at] + (1.0 - shape.beta2) * g * g;
    first[at] = m;
    second[at] = v;
    parameter[at] = shape.keep * parameter[at] - shape.rate * m / (sqrt(v * shape.unbias) + shape.epsilon);
}
