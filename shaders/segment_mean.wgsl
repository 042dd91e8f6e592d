// Mean of each of several contiguous runs:
//
//   means[s] = (1 / length[s]) * sum of values[start[s] .. start[s] + length[s]]
//
// values [values], segments [segments] of (start, length), means [segments].
//
// One workgroup a segment: 64 lanes add up every 64th value, then halve their number six times.

struct Shape {
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> segments: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> means: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let start = segments[id].x;
    let length = segments[id].y;
    var sum = 0.0;
    for (var at = lane; at < length; at += 64u) {
        sum += values[start + at];
    }
    sums[lane] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if lane < half {
            sums[lane] += sums[lane + half];
        }
    }
    if lane == 0u {
        means[id] = sums[0] / f32(length);
    }
}
