// Attention over trees, in one pass over the keys, with grouped queries:
//
//   s[t, u] = scale query[t] . key[u]      lse[t] = log(sum over u of exp(s[t, u]))
//   output[t] = sum over u of exp(s[t, u] - lse[t]) value[u]
//
// u goes over the keys that t sees: all keys of the runs that its run continues, and those of its own run up to itself.
//
// Shapes: query, output [queries, heads, width quads], key, value [keys, kv_heads, width quads], lse [queries, heads],
// plan: tiles of queries, then spans of keys (parts/query_tile.wgsl).
// Workgroups: 32 rows of one run and one key head each, 64 keys at a time. A lane keeps 4 x 4 scores in registers and,
// for each of its four rows, the maximum over all keys so far, the sum of exp over its own columns, and HEAD_TILES quads of the
// output. The sums of the lanes of a row are added at the end.
// Source: arXiv 2205.14135, arXiv 2305.13245, and arXiv 1805.02867 for the online log-sum-exp.

#import "parts/query_tile.wgsl"

@group(0) @binding(0) var<storage, read_write> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> key: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> value: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> plan: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> output: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> shape: Shape;

// Finite, because WGSL lets a compiler assume that there are no infinities.
const LOWEST = -3.0e38;

// Scores are the only product of the forward pass, so `of_scores` is always true.
fn row_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    return select(vec4(0.0), query[place * shape.width + min(k, shape.width - 1u)], k < shape.width);
}

fn run(id: u32, lane: u32) {
    let kv_head = id % shape.kv_heads;
    let at = load_tile(id / shape.kv_heads, lane);
    let x = lane % 16u;
    let y = lane / 16u;
    let row = 4u * y;
    let limits = four_see(at, row);
    let first_of_four = lane / 4u * 4u;
    var places = places_of_rows(at, first_of_four, kv_head);

    var tops = vec4(LOWEST);
    var totals = vec4(0.0);
    var mixed = Mixed();
    let seen = sees(at, at.rows - 1u);
    for (var first = 0u; first < seen; first += COLUMNS) {
        put_key_places(at, first, seen, kv_head, lane);
        if lane >= 32u && lane < 96u {
            places = places_of_columns(first_of_four - 32u);
        }
        var scored = products(true, places, lane);
        var highest = vec4(LOWEST);
        for (var j = 0u; j < 4u; j++) {
            scored[j] = select(vec4(LOWEST), scored[j] * shape.scale, vec4(first + 4u * x + j) < limits);
            highest = max(highest, scored[j]);
        }
        // The maxima of all lanes, [rows / 4, 16].
        tile_rows[lane] = highest;
        workgroupBarrier();
        highest = tops;
        for (var other = 0u; other < 16u; other++) {
            highest = max(highest, tile_rows[16u * y + other]);
        }
        let shrink = exp(tops - highest);
        tops = highest;
        totals *= shrink;
        for (var j = 0u; j < 4u; j++) {
            let weight = exp(scored[j] - highest);
            totals += weight;
            weights[weight_slot(4u * x + j, y)] = weight;
        }
        for (var j = 0u; j < HEAD_TILES; j++) {
            mixed[0][j] *= shrink.x;
            mixed[1][j] *= shrink.y;
            mixed[2][j] *= shrink.z;
            mixed[3][j] *= shrink.w;
        }
        mix(&mixed, false, min(COLUMNS, seen - first), lane);
    }

    tile_rows[lane] = totals;
    workgroupBarrier();
    totals = vec4(0.0);
    for (var other = 0u; other < 16u; other++) {
        totals += tile_rows[16u * y + other];
    }
    for (var i = 0u; i < 4u; i++) {
        if row + i < at.rows {
            let place = place_of(at, row + i, kv_head);
            if x == 0u {
                lse[place] = tops[i] + log(totals[i]);
            }
            for (var j = 0u; j < HEAD_TILES; j++) {
                if 16u * j + x < shape.width {
                    output[place * shape.width + 16u * j + x] = mixed[i][j] / totals[i];
                }
            }
        }
    }
}
