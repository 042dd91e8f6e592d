// Gradient of the input of a root mean square normalisation. With d the upstream gradient of a row:
//
//   dx = r (w d - x r^2 mean(x w d))      r = 1 / sqrt(mean(x^2) + epsilon)
//
// input, upstream, gradient [rows, width], weight [width], scales [rows]: r, for rms_norm_weight_gradient.wgsl.
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
@group(0) @binding(2) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> scales: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

const LANES = 64u;

var<workgroup> sums: array<vec2<f32>, 64>;
var<workgroup> eighths: array<vec2<f32>, 8>;

// Sum over all lanes, the same bits in each of them.
fn sum_of_lanes(lane: u32, value: vec2<f32>) -> vec2<f32> {
    sums[lane] = value;
    workgroupBarrier();
    if lane < 8u {
        var sum = vec2(0.0);
        for (var i = 0u; i < 8u; i++) {
            sum += sums[lane + 8u * i];
        }
        eighths[lane] = sum;
    }
    workgroupBarrier();
    var sum = vec2(0.0);
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
    var squares_and_along = vec2(0.0);
    for (var at = lane; at < shape.width; at += LANES) {
        let x = input[start + at];
        squares_and_along += x * vec2(x, weight[at] * upstream[start + at]);
    }
    let means = sum_of_lanes(lane, squares_and_along) / f32(shape.width);
    let scale = 1.0 / sqrt(means.x + shape.epsilon);
    let along = means.y * scale * scale;
    for (var at = lane; at < shape.width; at += LANES) {
        let through = weight[at] * upstream[start + at];
        gradient[start + at] = scale * (through - input[start + at] * along);
    }
    if lane == 0u {
        scales[row] = scale;
    }
}
