// Gradient of the weight of a root mean square normalisation, one sum for each block of rows:
//
//   parts[b] = sum over the rows i of block b of upstream[i] input[i] scales[i]
//
// input, upstream [rows, width], scales [rows] from rms_norm_input_gradient.wgsl, parts [blocks, width].
// column_sums.wgsl adds up the blocks.
//
// A workgroup takes 64 columns of a block; four lines of 64 lanes take every fourth row.

struct Shape {
    rows: u32,
    width: u32,
    block_rows: u32,
    column_tiles: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(2) var<storage, read_write> scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> parts: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

const COLUMNS = 64u;
const LINES = 4u;

var<workgroup> sums: array<f32, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let block = id / shape.column_tiles;
    let column = id % shape.column_tiles * COLUMNS + lane % COLUMNS;
    let end = min((block + 1u) * shape.block_rows, shape.rows);
    var sum = 0.0;
    if column < shape.width {
        for (var row = block * shape.block_rows + lane / COLUMNS; row < end; row += LINES) {
            let at = row * shape.width + column;
            sum += upstream[at] * input[at] * scales[row];
        }
    }
    sums[lane] = sum;
    workgroupBarrier();
    if lane < COLUMNS && column < shape.width {
        parts[block * shape.width + column] =
            (sums[lane] + sums[lane + COLUMNS]) + (sums[lane + 2u * COLUMNS] + sums[lane + 3u * COLUMNS]);
    }
}
