// Gradient of the weight of a root mean square normalisation, one sum for each block of rows:
//
//   parts[b] = sum over rows i of block b of upstream[i] input[i] scales[i]
//
// Shapes: input, upstream [rows, width], scales [rows] from rms_norm_input_gradient.wgsl, parts [blocks, width].
// column_sums.wgsl adds the blocks.
// Workgroups: 64 columns of a block each; each of four lines of 64 lanes sums every fourth row.
// Source: arXiv 1910.07467.

#import "parts/entry.wgsl"

struct Shape {
    rows: u32,
    width: u32,
    block_rows: u32,
    // Tiles of 64 columns.
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
const LINES = LANES / COLUMNS;

var<workgroup> sums: array<f32, 256>;

fn run(id: u32, lane: u32) {
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
