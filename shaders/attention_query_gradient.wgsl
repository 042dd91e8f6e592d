// Gradient of the queries of an attention over trees. With d the upstream gradient and s, lse as in attention.wgsl:
//
//   p[t, u] = exp(s[t, u] - lse[t])      delta[t] = d[t] . output[t]
//   gradient[t] = scale sum over u of p[t, u] (d[t] . value[u] - delta[t]) key[u]
//
// query, upstream, gradient [queries, heads, 4 width], key, value [keys, kv_heads, 4 width],
// stats [queries, heads] of (lse, delta) from attention_delta.wgsl, plan: tiles of queries, then spans of keys.
//
// A workgroup takes 32 rows of one run and one key head, and walks over the keys 64 at a time. A lane keeps 4 x 4
// scores and as many slopes in registers, and 4 rows of HEAD_TILES quads of the gradient.

struct Shape {
    // In vec4.
    width: u32,
    kv_heads: u32,
    // Query heads that share a key head.
    group: u32,
    // 1 / sqrt(head_dim).
    scale: f32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> key: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> value: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> upstream: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> plan: array<vec4<u32>>;
@group(0) @binding(6) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(7) var<uniform> shape: Shape;

// Columns of a workgroup's tile, and what it takes in of the depth at a time.
const COLUMNS = 64u;
const DEPTH = 16u;
const LANES = 128u;
// Quads of a head that a lane sums, each 16 quads from the next; a host may double it twice (shaders/README.md).
const HEAD_TILES = 1u;
const LINE = 16u * HEAD_TILES;
// Keys that are in workgroup memory at a time.
const CHUNK = 256u / LINE;

// [depth, rows / 4] and [depth, columns / 4]; quad q of line k stands at q ^ k, so that writing a column and reading a
// line both spread over the memory banks. tile_columns also takes keys [chunk, line].
var<workgroup> tile_rows: array<vec4<f32>, 128>;
var<workgroup> tile_columns: array<vec4<f32>, 256>;
// [columns, rows / 4].
var<workgroup> weights: array<vec4<f32>, 512>;

// A tile of queries of one run. Its rows are the pairs of a query and one of the heads that share a key head.
struct Tile {
    // The run's first query.
    first_query: u32,
    // First row, counted from the run's first query and head.
    first_row: u32,
    rows: u32,
    // Keys that all queries of the run see; the first query sees one more, the next two more, and so on.
    seen_by_all: u32,
    // Where the plan lists the spans of keys that make up what the run sees.
    first_span: u32,
    spans: u32,
}

var<workgroup> tile: Tile;
// Places of the keys of a tile in [keys, kv_heads].
var<workgroup> key_places: array<u32, 64>;

// Tiles take two lines of the plan each, spans one.
fn tile_of(id: u32) -> Tile {
    let a = plan[2u * id];
    let b = plan[2u * id + 1u];
    return Tile(a.x, a.y, a.z, a.w, b.x, b.y);
}

// Place of a row in [queries, heads]. Beyond the last row, the last one is computed again; it is never written.
fn place_of(at: Tile, row: u32, kv_head: u32) -> u32 {
    let in_run = at.first_row + min(row, at.rows - 1u);
    let query = at.first_query + in_run / shape.group;
    return (query * shape.kv_heads + kv_head) * shape.group + in_run % shape.group;
}

// How many keys a row sees.
fn sees(at: Tile, row: u32) -> u32 {
    return at.seen_by_all + (at.first_row + min(row, at.rows - 1u)) / shape.group + 1u;
}

// The key at a position of what the run sees.
fn key_of(at: Tile, position: u32) -> u32 {
    var rest = position;
    for (var s = 0u; s < at.spans; s++) {
        let span = plan[at.first_span + s];
        if rest < span.y {
            return span.x + rest;
        }
        rest -= span.y;
    }
    return 0u;
}

// One vec4 of four rows for each of a lane's four columns.
alias Sums = array<vec4<f32>, 4>;
// Four rows of a lane's quads of a head.
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

// Puts four lines of four consecutive k each into the tile, turned round.
fn put_rows(k: u32, quad: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    tile_rows[row_slot(k, quad)] = vec4(a.x, b.x, c.x, d.x);
    tile_rows[row_slot(k + 1u, quad)] = vec4(a.y, b.y, c.y, d.y);
    tile_rows[row_slot(k + 2u, quad)] = vec4(a.z, b.z, c.z, d.z);
    tile_rows[row_slot(k + 3u, quad)] = vec4(a.w, b.w, c.w, d.w);
}

// Puts four lines of four consecutive k each into the tile, turned round.
fn put_columns(k: u32, quad: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    tile_columns[column_slot(k, quad)] = vec4(a.x, b.x, c.x, d.x);
    tile_columns[column_slot(k + 1u, quad)] = vec4(a.y, b.y, c.y, d.y);
    tile_columns[column_slot(k + 2u, quad)] = vec4(a.z, b.z, c.z, d.z);
    tile_columns[column_slot(k + 3u, quad)] = vec4(a.w, b.w, c.w, d.w);
}

// Adds the product of both tiles. All bounds are constants, so that compilers unroll and keep sums in registers.
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

// Adds the lines of a chunk, weighted; its first line is column `first` of the weights.
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

// Four numbers of a line of query, or else of upstream; beyond the width, 0.
fn row_at(of_query: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_query {
        return select(vec4(0.0), query[at], k < shape.width);
    }
    return select(vec4(0.0), upstream[at], k < shape.width);
}

// Four numbers of a line of key, or else of value; beyond the width, 0.
fn column_at(of_key: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_key {
        return select(vec4(0.0), key[at], k < shape.width);
    }
    return select(vec4(0.0), value[at], k < shape.width);
}

// Products of queries and keys, or of upstream gradients and values. A lane of the first 32 loads a quad of rows, one
// of the next 64 a quad of columns.
fn products(of_keys: bool, places: vec4<u32>, lane: u32) -> Sums {
    var sums = Sums();
    for (var depth = 0u; depth < shape.width; depth += DEPTH / 4u) {
        let k = depth + lane % 4u;
        if lane < 32u {
            put_rows(
                4u * (lane % 4u), lane / 4u,
                row_at(of_keys, places.x, k), row_at(of_keys, places.y, k),
                row_at(of_keys, places.z, k), row_at(of_keys, places.w, k),
            );
        } else if lane < 96u {
            put_columns(
                4u * (lane % 4u), lane / 4u - 8u,
                column_at(of_keys, places.x, k), column_at(of_keys, places.y, k),
                column_at(of_keys, places.z, k), column_at(of_keys, places.w, k),
            );
        }
        workgroupBarrier();
        add_product(&sums, lane / 16u, lane % 16u);
        workgroupBarrier();
    }
    return sums;
}

// Adds a tile's first `count` keys, weighted.
fn mix(mixed: ptr<function, Mixed>, count: u32, lane: u32) {
    for (var first = 0u; first < count; first += CHUNK) {
        for (var piece = lane; piece < 256u; piece += LANES) {
            let column = first + piece / LINE;
            let line = column_at(true, key_places[column], piece % LINE);
            tile_columns[piece] = select(vec4(0.0), line, column < count);
        }
        workgroupBarrier();
        add_weighted(mixed, first, lane / 16u, lane % 16u);
        workgroupBarrier();
    }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let kv_head = id % shape.kv_heads;
    if lane == 0u {
        tile = tile_of(id / shape.kv_heads);
    }
    let at = workgroupUniformLoad(&tile);
    let x = lane % 16u;
    let y = lane / 16u;
    let row = 4u * y;
    let limits = vec4(sees(at, row), sees(at, row + 1u), sees(at, row + 2u), sees(at, row + 3u));
    var lse: vec4<f32>;
    var delta: vec4<f32>;
    for (var i = 0u; i < 4u; i++) {
        let stat = stats[place_of(at, row + i, kv_head)];
        lse[i] = stat.x;
        delta[i] = stat.y;
    }
    let quad = lane / 4u * 4u;
    var places = vec4(
        place_of(at, quad, kv_head), place_of(at, quad + 1u, kv_head),
        place_of(at, quad + 2u, kv_head), place_of(at, quad + 3u, kv_head),
    );

    var mixed = Mixed();
    let seen = sees(at, at.rows - 1u);
    for (var first = 0u; first < seen; first += COLUMNS) {
        if lane < COLUMNS {
            key_places[lane] = key_of(at, min(first + lane, seen - 1u)) * shape.kv_heads + kv_head;
        }
        workgroupBarrier();
        if lane >= 32u && lane < 96u {
            let column = quad - 32u;
            places = vec4(
                key_places[column], key_places[column + 1u],
                key_places[column + 2u], key_places[column + 3u],
            );
        }
        // A loop rather than two calls, and its bound no constant: half the code, and a software adapter takes
        // half the seconds to compile it.
        var scored = Sums();
        var slopes = Sums();
        for (var turn = 0u; turn < min(2u, 2u * shape.groups); turn++) {
            scored = slopes;
            slopes = products(turn == 0u, places, lane);
        }
        for (var j = 0u; j < 4u; j++) {
            let slope = exp(scored[j] * shape.scale - lse) * (slopes[j] - delta);
            let seen_by = vec4(first + 4u * x + j) < limits;
            weights[weight_slot(4u * x + j, y)] = select(vec4(0.0), slope, seen_by);
        }
        mix(&mixed, min(COLUMNS, seen - first), lane);
    }

    for (var i = 0u; i < 4u; i++) {
        if row + i < at.rows {
            let place = place_of(at, row + i, kv_head);
            for (var j = 0u; j < HEAD_TILES; j++) {
                if 16u * j + x < shape.width {
                    gradient[place * shape.width + 16u * j + x] = mixed[i][j] * shape.scale;
                }
            }
        }
    }
}
