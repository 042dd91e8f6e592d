// Root mean square normalisation, arXiv 1910.07467:
//
//   y[i] = w * x[i] * r[i]      r[i] = 1 / sqrt(mean of x[i]^2 + epsilon)
//
// input, output [rows, width], weight [width].
//
// One workgroup a row: 64 lanes take every 64th number.

struct Shape {
    width: u32,
    epsilon: f32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

const LANES = 64u;

var<workgroup> sums: array<f32, 64>;
var<workgroup> eighths: array<f32, 8>;

// Sum over all lanes, the same bits in each of them.
fn sum_of_lanes(lane: u32, value: f32) -> f32 {
    sums[lane] = value;
    workgroupBarrier();
    if lane < 8u {
        var sum = 0.0;
        for (var i = 0u; i < 8u; i++) {
            sum += sums[lane + 8u * i];
        }
        eighths[lane] = sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < 8u; i++) {
        sum += eighths[i];
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.x + group.y * shape.groups_x;
    if row >= shape.groups {
        return;
    }
    let start = row * shape.width;
    var squares = 0.0;
    for (var at = lane; at < shape.width; at += LANES) {
        let x = input[start + at];
        squares += x * x;
    }
    let scale = 1.0 / sqrt(sum_of_lanes(lane, squares) / f32(shape.width) + shape.epsilon);
    for (var at = lane; at < shape.width; at += LANES) {
        output[start + at] = input[start + at] * scale * weight[at];
    }
}
