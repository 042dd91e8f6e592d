// A tile of attention scores: 32 rows by 64 columns per workgroup, and sums over the columns with a weight for each score.
//
// 128 lanes form a grid of 8 x 16; lane 16 y + x has rows 4 y .. 4 y + 3 and columns 4 x .. 4 x + 3 of the scores, and in
// sums over the columns the quads x, 16 + x, .. (HEAD_TILES of them) of a head.
//
// Expects: LANES, HEAD_TILES (defines); the uniform `shape` of the type below; struct Tile with fn tile_of(number: u32) -> Tile and
// fn place_of(at: Tile, row: u32, kv_head: u32) -> u32, which is the line of a row in its buffers; and the two
// operands of a product, fn row_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> and column_at: quad k of a line,
// 0 beyond the width. Scores are query . key; the other product, of gradients, is upstream . value.

#import "parts/entry.wgsl"
#import "parts/put_rows.wgsl"
#import "parts/put_columns.wgsl"

struct Shape {
    // Quads of a head: head_dim / 4, rounded up.
    width: u32,
    kv_heads: u32,
    // Query heads that share a key head.
    group: u32,
    // 1 / sqrt(head_dim).
    scale: f32,
    groups: u32,
    groups_x: u32,
}

const COLUMNS = 64u;
// Terms of a score that are in workgroup memory at a time.
const DEPTH = 16u;
// Quads of a head in a line of the sums over columns, and lines that are in workgroup memory at a time.
const LINE = 16u * HEAD_TILES;
const CHUNK = 256u / LINE;

// The two operands of a product, [DEPTH, rows / 4] and [DEPTH, COLUMNS / 4]. Quad q of line k is at q ^ k (rows:
// q ^ (k % 8)), which spreads both the writes of a column and the reads of a line over the memory banks. In sums over columns, tile_columns is
// [CHUNK, LINE].
var<workgroup> tile_rows: array<vec4<f32>, 128>;
var<workgroup> tile_columns: array<vec4<f32>, 256>;
// Weights of the columns, [COLUMNS, rows / 4].
var<workgroup> weights: array<vec4<f32>, 512>;
// The workgroup's tile of the plan.
var<workgroup> tile: Tile;
// Lines of the columns in their buffers.
var<workgroup> column_places: array<u32, 64>;

// Four rows of each of a lane's four columns.
alias Sums = array<vec4<f32>, 4>;
// A lane's quads of a head, of each of its four rows.
alias Mixed = array<array<vec4<f32>, HEAD_TILES>, 4>;

fn row_slot(k: u32, quad: u32) -> u32 {
    return k * 8u + (quad ^ (k % 8u));
}

fn column_slot(k: u32, quad: u32) -> u32 {
    return k * 16u + (quad ^ k);
}

fn weight_slot(column: u32, quad: u32) -> u32 {
    return column * 8u + (quad ^ (column / 4u % 8u));
}

// Reads tile `number` of the plan with one lane and returns it to all lanes.
fn load_tile(number: u32, lane: u32) -> Tile {
    if lane == 0u {
        tile = tile_of(number);
    }
    return workgroupUniformLoad(&tile);
}

fn places_of_rows(at: Tile, row: u32, kv_head: u32) -> vec4<u32> {
    return vec4(
        place_of(at, row, kv_head), place_of(at, row + 1u, kv_head),
        place_of(at, row + 2u, kv_head), place_of(at, row + 3u, kv_head),
    );
}

fn places_of_columns(column: u32) -> vec4<u32> {
    return vec4(
        column_places[column], column_places[column + 1u],
        column_places[column + 2u], column_places[column + 3u],
    );
}

// Adds the product of both operands. All bounds are constants, so that a compiler unrolls the loop and keeps the sums in
// registers.
fn add_product(sums: ptr<function, Sums>, y: u32, x: u32) {
    for (var k = 0u; k < DEPTH; k++) {
        let a = tile_rows[row_slot(k, y)];
        let b = tile_columns[column_slot(k, x)];
        (*sums)[0] = fma(a, vec4(b.x), (*sums)[0]);
        (*sums)[1] = fma(a, vec4(b.y), (*sums)[1]);
        (*sums)[2] = fma(a, vec4(b.z), (*sums)[2]);
        (*sums)[3] = fma(a, vec4(b.w), (*sums)[3]);
    }
}

// Products of the tile's rows and columns. The first 32 lanes load a quad of four rows each, the next 64 a quad of four
// columns each; `places` are the four lines that a lane loads.
fn products(of_scores: bool, places: vec4<u32>, lane: u32) -> Sums {
    var sums = Sums();
    for (var depth = 0u; depth < shape.width; depth += DEPTH / 4u) {
        let k = depth + lane % 4u;
        if lane < 32u {
            put_rows(
                4u * (lane % 4u), lane / 4u,
                row_at(of_scores, places.x, k), row_at(of_scores, places.y, k),
                row_at(of_scores, places.z, k), row_at(of_scores, places.w, k),
            );
        } else if lane < 96u {
            put_columns(
                4u * (lane % 4u), lane / 4u - 8u,
                column_at(of_scores, places.x, k), column_at(of_scores, places.y, k),
                column_at(of_scores, places.z, k), column_at(of_scores, places.w, k),
            );
        }
        workgroupBarrier();
        add_product(&sums, lane / 16u, lane % 16u);
        workgroupBarrier();
    }
    return sums;
}

// Adds the lines in tile_columns, weighted; the first of them belongs to column `first`.
fn add_weighted(mixed: ptr<function, Mixed>, first: u32, y: u32, x: u32) {
    for (var k = 0u; k < CHUNK; k++) {
        let w = weights[weight_slot(first + k, y)];
        for (var j = 0u; j < HEAD_TILES; j++) {
            let line = tile_columns[k * LINE + 16u * j + x];
            (*mixed)[0][j] = fma(vec4(w.x), line, (*mixed)[0][j]);
            (*mixed)[1][j] = fma(vec4(w.y), line, (*mixed)[1][j]);
            (*mixed)[2][j] = fma(vec4(w.z), line, (*mixed)[2][j]);
            (*mixed)[3][j] = fma(vec4(w.w), line, (*mixed)[3][j]);
        }
    }
}

// Adds the column operands of a tile's first `count` columns, weighted.
fn mix(mixed: ptr<function, Mixed>, of_scores: bool, count: u32, lane: u32) {
    for (var first = 0u; first < count; first += CHUNK) {
        for (var piece = lane; piece < 256u; piece += LANES) {
            let column = first + piece / LINE;
            let line = column_at(of_scores, column_places[column], piece % LINE);
            tile_columns[piece] = select(vec4(0.0), line, column < count);
        }
        workgroupBarrier();
        add_weighted(mixed, first, lane / 16u, lane % 16u);
        workgroupBarrier();
    }
}
