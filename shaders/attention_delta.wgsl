// What the gradients of an attention need of each query and head, beside its inputs:
//
//   stats[t] = (lse[t], delta[t])      delta[t] = upstream[t] . output[t]
//
// upstream, output [rows, 4 width], lse, stats [rows]; a row is a query and a head.
//
// A workgroup takes 16 rows, 8 lanes each.

struct Shape {
    // In vec4.
    width: u32,
    rows: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> upstream: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(4) var<uniform> shape: Shape;

const ROWS = 16u;
const LANES_A_ROW = 8u;

var<workgroup> sums: array<f32, 128>;

@compute @workgroup_size(128)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let first = (group.x + group.y * shape.groups_x) * ROWS;
    let start = min(first + lane / LANES_A_ROW, shape.rows - 1u) * shape.width;
    var sum = 0.0;
    for (var k = lane % LANES_A_ROW; k < shape.width; k += LANES_A_ROW) {
        sum += dot(upstream[start + k], output[start + k]);
    }
    sums[lane] = sum;
    workgroupBarrier();
    if lane < ROWS && first + lane < shape.rows {
        var total = 0.0;
        for (var i = 0u; i < LANES_A_ROW; i++) {
            total += sums[LANES_A_ROW * lane + i];
        }
        stats[first + lane] = vec2(lse[first + lane], total);
    }
}
