// Gradient of the loss with respect to one chunk of the logits, computed from the hidden states once more:
//
//   P[i, c] = upstream[i] (exp(logit[i, first_column + c] - lse[i]) - [first_column + c = token[i]])
//
// where logit[i, v] = hidden[row[i]] . weight[v]; a column beyond the vocabulary is 0.
//
// hidden [rows, width], weight [vocab, width], targets [targets] of (row, token), lse, upstream [targets],
// gradient P [row_count, chunk]: the targets from first_target on. width is a multiple of 4, chunk one of 128.
//
// A workgroup takes a tile of 128 targets and 128 columns; a lane keeps 8 x 8 logits in registers.

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

@group(0) @binding(0) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> shape: Shape;

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

// Puts four lines of four consecutive k each into the tile, turned round.
fn put_columns(k: u32, quad: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    tile_columns[slot(k, quad)] = vec4(a.x, b.x, c.x, d.x);
    tile_columns[slot(k + 1u, quad)] = vec4(a.y, b.y, c.y, d.y);
    tile_columns[slot(k + 2u, quad)] = vec4(a.z, b.z, c.z, d.z);
    tile_columns[slot(k + 3u, quad)] = vec4(a.w, b.w, c.w, d.w);
}

// Beyond the width, 0.
fn hidden_at(start: u32, k: u32) -> vec4<f32> {
    return select(vec4(0.0), hidden[start + min(k, shape.width - 1u)], k < shape.width);
}

fn weight_at(start: u32, k: u32) -> vec4<f32> {
    return select(vec4(0.0), weight[start + min(k, shape.width - 1u)], k < shape.width);
}

// A tile's worth of loads is 256 pieces: vec4 k % 4 of the lines of a quad, first for all rows, then for all columns.
const PIECES = 256u / LANES;
alias Starts = array<vec4<u32>, PIECES>;

// Where the lines of a piece start: hidden states of four targets, or weights of four tokens. Beyond the last one,
// the last one is computed again; it is never written.
fn piece_starts(quad: u32, first_row: u32, first_column: u32) -> vec4<u32> {
    if quad < 32u {
        let local = min(vec4(first_row + 4u * quad) + vec4(0u, 1u, 2u, 3u), vec4(shape.row_count - 1u));
        let row = shape.first_target + local;
        return shape.width * vec4(targets[row.x].x, targets[row.y].x, targets[row.z].x, targets[row.w].x);
    }
    let column = shape.first_column + first_column + 4u * (quad - 32u);
    return shape.width * min(vec4(column) + vec4(0u, 1u, 2u, 3u), vec4(shape.vocab - 1u));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var starts: Starts;
    for (var piece = 0u; piece < PIECES; piece++) {
        starts[piece] = piece_starts((lane + piece * LANES) / 4u, first_row, first_column);
    }
    var sums = Sums();
    for (var depth = 0u; depth < shape.width; depth += DEPTH / 4u) {
        let k = depth + lane % 4u;
        for (var piece = 0u; piece < PIECES; piece++) {
            let quad = (lane + piece * LANES) / 4u;
            let at = starts[piece];
            if quad < 32u {
                put_rows(4u * (lane % 4u), quad, hidden_at(at.x, k), hidden_at(at.y, k), hidden_at(at.z, k), hidden_at(at.w, k));
            } else {
                put_columns(4u * (lane % 4u), quad - 32u, weight_at(at.x, k), weight_at(at.y, k), weight_at(at.z, k), weight_at(at.w, k));
            }
        }
        workgroupBarrier();
        add_product(&sums, y, x);
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let row = first_row + 4u * ROW_QUADS * y + i;
        if row < shape.row_count {
            let index = shape.first_target + row;
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let own = first_column + 4u * (COLUMN_QUADS * x + j);
                let columns = vec4(shape.first_column + own) + vec4(0u, 1u, 2u, 3u);
                let p = exp(sums[i][j] - lse[index]) - vec4<f32>(columns == vec4(targets[index].y));
                let scaled = select(vec4(0.0), upstream[index] * p, columns < vec4(shape.vocab));
                gradient[(row * shape.chunk + own) / 4u] = scaled;
            }
        }
    }
}
