// Adds what one block of targets contributes to the gradient of one chunk of the weight:
//
//   weight_gradient[first_column + c] += sum over i of P[i, c] hidden[row[i]]
//
// gradient P [row_count, chunk] from nll_logit_gradient.wgsl, hidden [rows, width],
// targets [targets] of (row, token), weight_gradient [vocab, width]. width is a multiple of 4, chunk one of 128.
//
// A workgroup takes a tile of 128 tokens and 128 columns of the width, and sums over the targets; a lane keeps 8 x 8
// sums in registers.

struct Shape {
    // In vec4.
    width: u32,
    vocab: u32,
    first_target: u32,
    row_count: u32,
    first_column: u32,
    chunk: u32,
    row_tiles: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> weight_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> shape: Shape;

// Rows and columns of a workgroup's tile, and what it takes in of the depth at a time.
const TILE = 128u;
const DEPTH = 16u;
// What one lane keeps in registers, in quads of rows and of columns. A host may double either (shaders/README.md).
const ROW_QUADS = 2u;
const COLUMN_QUADS = 2u;
const LANES_X = TILE / (4u * COLUMN_QUADS);
const LANES = LANES_X * TILE / (4u * ROW_QUADS);

// [depth, tile / 4]; quad q of line k stands at q ^ k, so that writing a column and reading a line both spread
// over the memory banks.
var<workgroup> tile_rows: array<vec4<f32>, 512>;
var<workgroup> tile_columns: array<vec4<f32>, 512>;

// Sums that a lane keeps: [4 ROW_QUADS, COLUMN_QUADS].
alias Sums = array<array<vec4<f32>, COLUMN_QUADS>, 4u * ROW_QUADS>;

fn slot(k: u32, quad: u32) -> u32 {
    return k * 32u + (quad ^ k);
}

// Adds the product of both tiles. All bounds are constants, so that compilers unroll and keep sums in registers.
fn add_product(sums: ptr<function, Sums>, y: u32, x: u32) {
    for (var k = 0u; k < DEPTH; k++) {
        var b: array<vec4<f32>, COLUMN_QUADS>;
        for (var j = 0u; j < COLUMN_QUADS; j++) {
            b[j] = tile_columns[slot(k, COLUMN_QUADS * x + j)];
        }
        for (var i = 0u; i < ROW_QUADS; i++) {
            let a = tile_rows[slot(k, ROW_QUADS * y + i)];
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                (*sums)[4u * i][j] = fma(vec4(a.x), b[j], (*sums)[4u * i][j]);
                (*sums)[4u * i + 1u][j] = fma(vec4(a.y), b[j], (*sums)[4u * i + 1u][j]);
                (*sums)[4u * i + 2u][j] = fma(vec4(a.z), b[j], (*sums)[4u * i + 2u][j]);
                (*sums)[4u * i + 3u][j] = fma(vec4(a.w), b[j], (*sums)[4u * i + 3u][j]);
            }
        }
    }
}

// Four columns of one row of P; beyond the last row, 0.
fn gradient_at(row: u32, column: u32) -> vec4<f32> {
    let last = shape.row_count - 1u;
    return select(vec4(0.0), gradient[min(row, last) * shape.chunk / 4u + column], row <= last);
}

fn hidden_at(row: u32, column: u32) -> vec4<f32> {
    let start = targets[shape.first_target + min(row, shape.row_count - 1u)].x * shape.width;
    return hidden[start + min(column, shape.width - 1u)];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    // Here the rows of the tile are tokens.
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE / 4u;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var sums = Sums();
    for (var depth = 0u; depth < shape.row_count; depth += DEPTH) {
        for (var piece = lane; piece < 512u; piece += LANES) {
            let line = piece / 32u;
            let quad = piece % 32u;
            tile_rows[slot(line, quad)] = gradient_at(depth + line, first_row / 4u + quad);
            tile_columns[slot(line, quad)] = hidden_at(depth + line, first_column + quad);
        }
        workgroupBarrier();
        add_product(&sums, y, x);
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let token = shape.first_column + first_row + 4u * ROW_QUADS * y + i;
        if token < shape.vocab {
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let column = first_column + COLUMN_QUADS * x + j;
                if column < shape.width {
                    weight_gradient[token * shape.width + column] += sums[i][j];
                }
            }
        }
    }
}
