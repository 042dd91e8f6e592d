// Log-sum-exp of the logits of one span of the vocabulary, and the logit of each target. No other logit is stored:
//
//   partials[s, i]  = (max, sum of exp(logit[i, v] - max)) over the tokens v of span s
//   target_logit[i] = logit[i, token[i]]
//
// where logit[i, v] = hidden[row[i]] . weight[v]. nll_combine.wgsl combines the spans.
//
// Shapes: hidden [rows, width quads], weight [vocab, width quads], targets [targets] of (row, token),
// partials [spans, targets], target_logit [targets].
// Workgroups: 128 targets and one span each, 128 tokens at a time. A lane keeps a block of logits in registers and an
// online log-sum-exp of each of its rows; the lanes combine theirs once, at the end of the span.
// Source: arXiv 2411.09009, and arXiv 1805.02867 for the online log-sum-exp.

#import "parts/entry.wgsl"
#import "parts/logits.wgsl"

struct Shape {
    targets: u32,
    // Columns of hidden states and weight, in quads.
    width: u32,
    vocab: u32,
    // Tokens of a span, a multiple of 128.
    span: u32,
    // Tiles of 128 targets.
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

// Finite, because WGSL lets a compiler assume that there are no infinities.
const LOWEST = -3.0e38;

// (max, sum of exp(logit - max)) of the union of two disjoint sets of logits.
fn merge(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let top = max(a.x, b.x);
    return vec2(top, a.y * exp(a.x - top) + b.y * exp(b.x - top));
}

// An online log-sum-exp extended by the logits of one row for the tokens from `first` on; those from `end` on are left
// out. Stores the logit of the row's target if it is among them.
fn take_in(running: vec2<f32>, logits: array<vec4<f32>, COLUMN_QUADS>, row: u32, first: u32, end: u32) -> vec2<f32> {
    var kept = logits;
    var tops = vec4(running.x);
    for (var j = 0u; j < COLUMN_QUADS; j++) {
        let columns = vec4(first + 4u * j) + vec4(0u, 1u, 2u, 3u);
        kept[j] = select(vec4(LOWEST), kept[j], columns < vec4(end));
        tops = max(tops, kept[j]);
        if row < shape.targets {
            let at = targets[row].y - columns.x; // wraps to a large number for tokens before these columns
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

// At the end of a span tile_rows and tile_columns are one array of 1024: the log-sum-exps of all lanes, two rows to a
// vec4.
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

fn run(id: u32, lane: u32) {
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
        var sums = Sums();
        add_logits(&sums, lane, first_row, shape.targets - 1u, first, end - 1u);
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
