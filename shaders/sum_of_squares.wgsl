// Sums of pieces of a list, of the squares of its numbers or of the numbers themselves:
//
//   sums[s] = sum of values[i]^2, or of values[i], over the i of piece s
//
// values [count], sums [pieces]. Two launches make one sum of a long list: squares by pieces, then the pieces.
//
// One workgroup a piece: 256 lanes take every 256th number, four of them at a time.

struct Shape {
    count: u32,
    // Numbers of a piece.
    piece: u32,
    // 1 for squares, 0 for the numbers themselves.
    squared: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

const LANES = 256u;

var<workgroup> lanes: array<f32, 256>;
var<workgroup> sixteenths: array<f32, 16>;

fn value_at(at: u32, end: u32) -> f32 {
    if at >= end {
        return 0.0;
    }
    let value = values[at];
    return select(value, value * value, shape.squared == 1u);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let end = min((id + 1u) * shape.piece, shape.count);
    var sum = vec4(0.0);
    for (var at = id * shape.piece + lane; at < end; at += 4u * LANES) {
        sum += vec4(
            value_at(at, end),
            value_at(at + LANES, end),
            value_at(at + 2u * LANES, end),
            value_at(at + 3u * LANES, end),
        );
    }
    lanes[lane] = (sum.x + sum.y) + (sum.z + sum.w);
    workgroupBarrier();
    if lane < 16u {
        var part = 0.0;
        for (var i = 0u; i < 16u; i++) {
            part += lanes[lane + 16u * i];
        }
        sixteenths[lane] = part;
    }
    workgroupBarrier();
    if lane == 0u {
        var total = 0.0;
        for (var i = 0u; i < 16u; i++) {
            total += sixteenths[i];
        }
        sums[id] = total;
    }
}
