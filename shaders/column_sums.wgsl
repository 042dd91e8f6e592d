// Sums over the rows of a matrix:
//
//   sums[c] = sum over b of parts[b, c]
//
// Shapes: parts [blocks, width], sums [width].
// Workgroups: 64 columns each, one per lane.

#import "parts/entry.wgsl"

struct Shape {
    blocks: u32,
    width: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let column = id * LANES + lane;
    if column >= shape.width {
        return;
    }
    var sum = 0.0;
    for (var block = 0u; block < shape.blocks; block++) {
        sum += parts[block * shape.width + column];
    }
    sums[column] = sum;
}
