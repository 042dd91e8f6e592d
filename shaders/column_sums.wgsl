// Sums over the rows of a matrix:
//
//   sums[c] = sum over b of parts[b, c]
//
// parts [blocks, width], sums [width].
//
// One lane a column.

struct Shape {
    blocks: u32,
    width: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> parts: array<f32>;
@group(0) @binding(1) var<storage, read_write> sums: array<f32>;
@group(0) @binding(2) var<uniform> shape: Shape;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let column = (group.x + group.y * shape.groups_x) * 64u + lane;
    if column >= shape.width {
        return;
    }
    var sum = 0.0;
    for (var block = 0u; block < shape.blocks; block++) {
        sum += parts[block * shape.width + column];
    }
    sums[column] = sum;
}
