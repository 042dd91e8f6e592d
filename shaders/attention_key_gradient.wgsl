// Gradients of the keys and values of an attention over trees. With p and delta as in attention_query_gradient.wgsl:
//
//   value_gradient[u] = sum over t of p[t, u] d[t]
//   key_gradient[u] = scale sum over t of p[t, u] (d[t] . value[u] - delta[t]) query[t]
//
// t goes over the queries that see u, of every head that shares its key head: those of its own run from u on, and all
// of the runs that continue it.
//
// query, upstream [queries, heads, 4 width], key, value and their gradients [keys, kv_heads, 4 width],
// stats [queries, heads] of (lse, delta) from attention_delta.wgsl, plan: tiles of keys, then spans of queries.
//
// A workgroup takes 32 keys of one run and one key head, and walks over the queries 64 at a time, always in the same
// order. A lane keeps 4 x 4 weights and as many slopes in registers, and 4 rows of HEAD_TILES quads of both gradients.

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
@group(0) @binding(6) var<storage, read_write> key_gradient: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> value_gradient: array<vec4<f32>>;
@group(0) @binding(8) var<uniform> shape: Shape;

// Columns of a workgroup's tile, and what it takes in of the depth at a time.
const COLUMNS = 64u;
const DEPTH = 16u;
const LANES = 128u;
// Quads of a head that a lane sums, each 16 quads from the next; a host may double it twice (shaders/README.md).
const HEAD_TILES = 1u;
const LINE = 16u * HEAD_TILES;
// Queries, or upstream gradients, that are in workgroup memory at a time.
const CHUNK = 256u / LINE;

// [depth, rows / 4] and [depth, columns / 4]; quad q of line k stands at q ^ k, so that writing a column and reading a
// line both spread over the memory banks. tile_columns also takes queries or upstream gradients [chunk, line].
var<workgroup> tile_rows: array<vec4<f32>, 128>;
var<workgroup> tile_columns: array<vec4<f32>, 256>;
// [columns, rows / 4].
var<workgroup> weights: array<vec4<f32>, 512>;

// A tile of keys of one run.
struct Tile {
    first_key: u32,
    keys: u32,
    // The first query of the run that sees one of them, and how many there are from it on.
    own_query: u32,
    own_queries: u32,
    // How many of the keys it sees; the next query sees one more, and so on.
    sees: u32,
    // Where the plan lists the spans of queries of the runs that continue this one.
    first_span: u32,
    spans: u32,
    // Pairs of a query and one of the heads that share a key head, in all.
    rows: u32,
}

var<workgroup> tile: Tile;
// Of the queries of a tile: places in [queries, heads], how many of the keys each sees, and (lse, delta).
var<workgroup> query_places: array<u32, 64>;
var<workgroup> query_sees: array<u32, 64>;
var<workgroup> query_stats: array<vec2<f32>, 64>;

// Tiles take two lines of the plan each, spans one.
fn tile_of(id: u32) -> Tile {
    let a = plan[2u * id];
    let b = plan[2u * id + 1u];
    return Tile(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

// Place of a row in [keys, kv_heads]. Beyond the last row, the last one is computed again; it is never written.
fn place_of(at: Tile, row: u32, kv_head: u32) -> u32 {
    return (at.first_key + min(row, at.keys - 1u)) * shape.kv_heads + kv_head;
}

// The query at a position of those that see the tile, and how many of its keys it sees.
fn query_of(at: Tile, position: u32) -> vec2<u32> {
    if position < at.own_queries {
        return vec2(at.own_query + position, at.sees + position);
    }
    var rest = position - at.own_queries;
    for (var s = 0u; s < at.spans; s++) {
        let span = plan[at.first_span + s];
        if rest < span.y {
            return vec2(span.x + rest, at.keys);
        }
        rest -= span.y;
    }
    return vec2(0u);
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

// Four numbers of a line of key, or else of value; beyond the width, 0.
fn row_at(of_key: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_key {
        return select(vec4(0.0), key[at], k < shape.width);
    }
    return select(vec4(0.0), value[at], k < shape.width);
}

// Four numbers of a line of query, or else of upstream; beyond the width, 0.
fn column_at(of_query: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_query {
        return select(vec4(0.0), query[at], k < shape.width);
    }
    return select(vec4(0.0), upstream[at], k < shape.width);
}

// Products of keys and queries, or of values and upstream gradients. A lane of the first 32 loads a quad of rows, one
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

// Adds a tile's first `count` queries, or else their upstream gradients, weighted.
fn mix(mixed: ptr<function, Mixed>, of_queries: bool, count: u32, lane: u32) {
    for (var first = 0u; first < count; first += CHUNK) {
        for (var piece = lane; piece < 256u; piece += LANES) {
            let column = first + piece / LINE;
            let line = column_at(of_queries, query_places[column], piece % LINE);
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
    let rows = vec4(row) + vec4(0u, 1u, 2u, 3u);
    let quad = lane / 4u * 4u;
    var places = vec4(
        place_of(at, quad, kv_head), place_of(at, quad + 1u, kv_head),
        place_of(at, quad + 2u, kv_head), place_of(at, quad + 3u, kv_head),
    );

    var of_key = Mixed();
    var of_value = Mixed();
    for (var first = 0u; first < at.rows; first += COLUMNS) {
        if lane < COLUMNS {
            let position = min(first + lane, at.rows - 1u);
            let viewer = query_of(at, position / shape.group);
            let place = (viewer.x * shape.kv_heads + kv_head) * shape.group + position % shape.group;
            query_places[lane] = place;
            query_sees[lane] = select(0u, viewer.y, first + lane < at.rows);
            query_stats[lane] = stats[place];
        }
        workgroupBarrier();
        if lane >= 32u && lane < 96u {
            let column = quad - 32u;
            places = vec4(
                query_places[column], query_places[column + 1u],
                query_places[column + 2u], query_places[column + 3u],
            );
        }
        // A loop rather than two calls, and its bound no constant: half the code, and a software adapter takes
        // half the seconds to compile it.
        var seen = Sums();
        var slopes = Sums();
        for (var turn = 0u; turn < min(2u, 2u * shape.groups); turn++) {
            seen = slopes;
            slopes = products(turn == 0u, places, lane);
        }
        for (var j = 0u; j < 4u; j++) {
            let column = 4u * x + j;
            let stat = query_stats[column];
            let sees = rows < vec4(query_sees[column]);
            seen[j] = select(vec4(0.0), exp(seen[j] * shape.scale - stat.x), sees);
            slopes[j] = select(vec4(0.0), seen[j] * (slopes[j] - stat.y), sees);
        }
        // The same for both gradients; after two passes they are where they were.
        for (var turn = 0u; turn < min(2u, 2u * shape.groups); turn++) {
            for (var j = 0u; j < 4u; j++) {
                weights[weight_slot(4u * x + j, y)] = seen[j];
            }
            mix(&of_value, turn == 1u, min(COLUMNS, at.rows - first), lane);
            seen = slopes;
            let other = of_key;
            of_key = of_value;
            of_value = other;
        }
    }

    for (var i = 0u; i < 4u; i++) {
        if row + i < at.keys {
            let start = place_of(at, row + i, kv_head) * shape.width;
            for (var j = 0u; j < HEAD_TILES; j++) {
                if 16u * j + x < shape.width {
                    key_gradient[start + 16u * j + x] = of_key[i][j] * shape.scale;
                    value_gradient[start + 16u * j + x] = of_value[i][j];
                }
            }
        }
    }
}
