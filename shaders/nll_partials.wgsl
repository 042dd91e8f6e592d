// Log-sum-exp of a linear head over one span of the vocabulary, without storing a logit:
//
//   partials[s, i]  = (max, sum of exp(logit - max)) over the vocabulary of span s
//   target_logit[i] = hidden[row[i]] . weight[token[i]]
//
// where logit[i, v] = hidden[row[i]] . weight[v]. nll_combine.wgsl puts the spans together.
//
// hidden [rows, width], weight [vocab, width], targets [targets] of (row, token),
// partials [spans, targets], target_logit [targets]. width is a multiple of 4.
//
// A workgroup takes 128 targets and one span, and walks through the span 128 columns at a time. A lane keeps 8 x 8
// logits in registers, and an online log-sum-exp of its own 8 rows (Milakov and Gimelshein, arXiv 1805.02867), so
// lanes meet only once, at the end of the span.

struct Shape {
    targets: u32,
    // In vec4.
    width: u32,
    vocab: u32,
    // Columns of a span, a multiple of 128.
    span: u32,
    row_tiles: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> partials: array<vec2<f32>>;
@group(0) @binding(4) var<storage, read_write> target_logit: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

// Rows and columns of a workgroup's tile, and what it takes in of the depth at a time.
const TILE = 128u;
const DEPTH = 16u;
// What one lane keeps in registers, in quads of rows and of columns. A host may double either (shaders/README.md).
const ROW_QUADS = 2u;
const COLUMN_QUADS = 2u;
const LANES_X = TILE / (4u * COLUMN_QUADS);
const LANES = LANES_X * TILE / (4u * ROW_QUADS);
// Finite, because WGSL may assume that there are no infinities.
const LOWEST = -3.0e38;

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
// the last one is computed again; it is never counted.
fn piece_starts(quad: u32, first_row: u32, first_column: u32, end: u32) -> vec4<u32> {
    if quad < 32u {
        let row = min(vec4(first_row + 4u * quad) + vec4(0u, 1u, 2u, 3u), vec4(shape.targets - 1u));
        return shape.width * vec4(targets[row.x].x, targets[row.y].x, targets[row.z].x, targets[row.w].x);
    }
    return shape.width * min(vec4(first_column + 4u * (quad - 32u)) + vec4(0u, 1u, 2u, 3u), vec4(end - 1u));
}

// (max, sum of exp(logit - max)) of two disjoint sets, from those of each.
fn merge(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let top = max(a.x, b.x);
    return vec2(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}

// An online log-sum-exp taken on by the logits of columns first.. of a row, up to column end.
fn take_in(running: vec2<f32>, logits: array<vec4<f32>, COLUMN_QUADS>, row: u32, first: u32, end: u32) -> vec2<f32> {
    var kept = logits;
    var tops = vec4(running.x);
    for (var j = 0u; j < COLUMN_QUADS; j++) {
        let columns = vec4(first + 4u * j) + vec4(0u, 1u, 2u, 3u);
        kept[j] = select(vec4(LOWEST), kept[j], columns < vec4(end));
        tops = max(tops, kept[j]);
        if row < shape.targets {
            let at = targets[row].y - columns.x; // wraps to a large number left of these columns
            if at < 4u && targets[row].y < end {
                target_logit[row] = kept[j][at];
            }
        }
    }
    let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
    var sums = vec4(0.0);
    for (var j = 0u; j < COLUMN_QUADS; j++) {
        sums += exp(kept[j] - top);
    }
    return vec2(top, running.y * exp(running.x - top) + sums.x + sums.y + sums.z + sums.w);
}

// At the end the tiles hold what every lane knows of its rows, two rows to a vec4.
fn put_pair(at: u32, pair: vec4<f32>) {
    if at < 512u {
        tile_rows[at] = pair;
    } else {
        tile_columns[at - 512u] = pair;
    }
}

fn pair_at(at: u32) -> vec4<f32> {
    if at < 512u {
        return tile_rows[at];
    }
    return tile_columns[at - 512u];
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let id = group.x + group.y * shape.groups_x;
    if id >= shape.groups {
        return;
    }
    let first_row = (id % shape.row_tiles) * TILE;
    let span = id / shape.row_tiles;
    let end = min((span + 1u) * shape.span, shape.vocab);
    let x = lane % LANES_X;
    let y = lane / LANES_X;

    var running: array<vec2<f32>, 4u * ROW_QUADS>;
    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        running[i] = vec2(LOWEST, 0.0);
    }
    for (var first = span * shape.span; first < end; first += TILE) {
        var starts: Starts;
        for (var piece = 0u; piece < PIECES; piece++) {
            starts[piece] = piece_starts((lane + piece * LANES) / 4u, first_row, first, end);
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
            running[i] = take_in(running[i], sums[i], row, first + 4u * COLUMN_QUADS * x, end);
        }
    }

    for (var i = 0u; i < 2u * ROW_QUADS; i++) {
        put_pair((2u * ROW_QUADS * y + i) * LANES_X + x, vec4(running[2u * i], running[2u * i + 1u]));
    }
    workgroupBarrier();
    for (var i = lane; i < min(TILE, shape.targets - first_row); i += LANES) {
        var total = vec2(LOWEST, 0.0);
        for (var other = 0u; other < LANES_X; other++) {
            let pair = pair_at(i / 2u * LANES_X + other);
            total = merge(total, select(pair.xy, pair.zw, i % 2u == 1u));
        }
        partials[span * shape.targets + first_row + i] = total;
    }
}
