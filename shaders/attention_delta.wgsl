// Per query and head, the two numbers that both gradients of an attention read besides its inputs:
//
//   stats[t] = (lse[t], delta[t])      delta[t] = upstream[t] . output[t]
//
// Shapes: upstream, output [rows, width quads], lse, stats [rows]; a row is a query and a head.
// Workgroups: 16 rows each, 8 lanes for each row.
// Source: arXiv 2205.14135.

#import "parts/entry.wgsl"

struct Shape {
    // Numbers of a head, in quads.
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
const LANES_A_ROW = LANES / ROWS;

var<workgroup> sums: array<f32, 128>;

fn run(id: u32, lane: u32) {
    let first = id * ROWS;
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
