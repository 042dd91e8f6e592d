// Sums of the pieces of a list, either of the squares of its numbers or of the numbers:
//
//   sums[s] = sum over i in piece s of values[i]^2 (or of values[i])
//
// Shapes: values [count], sums [pieces]. The host sums a long list in two launches: squares for each piece, then the
// sums of the pieces.
// Workgroups: one piece each. A lane sums every 256th number, in four partial sums.

#import "parts/entry.wgsl"

struct Shape {
    count: u32,
    // Numbers of a piece.
    piece: u32,
    // 1 to sum squares, 0 to sum the numbers.
    squared: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

var<workgroup> lanes: array<f32, 256>;
var<workgroup> sixteenths: array<f32, 16>;

fn value_at(at: u32, end: u32) -> f32 {
    if at >= end {
        return 0.0;
    }
    let value = values[at];
    return select(value, value * value, shape.squared == 1u);
}

fn run(id: u32, lane: u32) {
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
