// Adds what one chunk of the vocabulary contributes to the gradient of the hidden states:
//
//   hidden_gradient[row[i]] += sum over c of P[i, c] weight[first_column + c]
//
// gradient P [row_count, chunk] from nll_logit_gradient.wgsl, weight [vocab, width],
// targets [targets] of (row, token), hidden_gradient [rows, width]. width is a multiple of 4, chunk one of 128.
//
// A workgroup takes a tile of 128 targets and 128 columns of the width, and sums over the chunk; a lane keeps 8 x 8
// sums in registers. No two targets share a row, so no two lanes write one element.

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
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> hidden_gradient: array<vec4<f32>>;
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

// Puts four lines of four consecutive k each into the tile, turned round.
fn put_rows(k: u32, quad: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    tile_rows[slot(k, quad)] = vec4(a.x, b.x, c.x, d.x);
    tile_rows[slot(k + 1u, quad)] = vec4(a.y, b.y, c.y, d.y);
    tile_rows[slot(k + 2u, quad)] = vec4(a.z, b.z, c.z, d.z);
    tile_rows[slot(k + 3u, quad)] = vec4(a.w, b.w, c.w, d.w);
}

// Four elements of a row of P. Beyond the last row, the last one is summed again; it is never written.
fn gradient_at(row: u32, column: u32) -> vec4<f32> {
    return gradient[min(row, shape.row_count - 1u) * shape.chunk / 4u + column];
}

// Four columns of the weight of one token. Beyond the vocabulary P is 0, so any weight will do.
fn weight_at(token: u32, column: u32) -> vec4<f32> {
    return weight[min(token, shape.vocab - 1u) * shape.width + min(column, shape.width - 1u)];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE / 4u;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var sums = Sums();
    for (var depth = 0u; depth < shape.chunk; depth += DEPTH) {
        // 128 pieces of P, four rows by four columns each; 128 pieces of the weight, four lines of one quad each.
        for (var piece = lane; piece < 256u; piece += LANES) {
            if piece < 128u {
                let row = first_row + piece / 4u * 4u;
                let k = depth / 4u + piece % 4u;
                put_rows(
                    piece % 4u * 4u, piece / 4u,
                    gradient_at(row, k), gradient_at(row + 1u, k), gradient_at(row + 2u, k), gradient_at(row + 3u, k),
                );
            } else {
                let quad = piece % 32u;
                for (var line = (piece - 128u) / 32u; line < DEPTH; line += 4u) {
                    let token = shape.first_column + depth + line;
                    tile_columns[slot(line, quad)] = weight_at(token, first_column + quad);
                }
            }
        }
        workgroupBarrier();
        add_product(&sums, y, x);
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let row = first_row + 4u * ROW_QUADS * y + i;
        if row < shape.row_count {
            let start = targets[shape.first_target + row].x * shape.width;
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let column = first_column + COLUMN_QUADS * x + j;
                if column < shape.width {
                    hidden_gradient[start + column] += sums[i][j];
                }
            }
        }
    }
}
