// Gradient of the queries of an attention over trees, where d is the upstream gradient and s, lse as in attention.wgsl:
//
//   p[t, u] = exp(s[t, u] - lse[t])      delta[t] = d[t] . output[t]
//   gradient[t] = scale sum over u of p[t, u] (d[t] . value[u] - delta[t]) key[u]
//
// u goes over the keys that t sees.
//
// Shapes: gradient [queries, heads, width quads], inputs as in parts/attention_gradient.wgsl,
// plan: tiles of queries, then spans of keys (parts/query_tile.wgsl).
// Workgroups: 32 rows of one run and one key head each, 64 keys at a time. A lane keeps in registers 4 x 4 scores, the
// 4 x 4 products d . value, called slopes, and HEAD_TILES quads of the gradient of each of its four rows.
// Source: arXiv 2205.14135.

#import "parts/query_tile.wgsl"
#import "parts/attention_gradient.wgsl"

@group(0) @binding(6) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(7) var<uniform> shape: Shape;

fn row_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    return query_or_upstream_at(of_scores, place, k);
}

fn run(id: u32, lane: u32) {
    let kv_head = id % shape.kv_heads;
    let at = load_tile(id / shape.kv_heads, lane);
    let x = lane % 16u;
    let y = lane / 16u;
    let row = 4u * y;
    let limits = four_see(at, row);
    var lse: vec4<f32>;
    var delta: vec4<f32>;
    for (var i = 0u; i < 4u; i++) {
        let stat = stats[place_of(at, row + i, kv_head)];
        lse[i] = stat.x;
        delta[i] = stat.y;
    }
    let first_of_four = lane / 4u * 4u;
    var places = places_of_rows(at, first_of_four, kv_head);

    var mixed = Mixed();
    let seen = sees(at, at.rows - 1u);
    for (var first = 0u; first < seen; first += COLUMNS) {
        put_key_places(at, first, seen, kv_head, lane);
        if lane >= 32u && lane < 96u {
            places = places_of_columns(first_of_four - 32u);
        }
        // A loop instead of two calls, with a bound that is no constant, so that a compiler does not unroll it: the code
        // is half as long, and a software adapter compiles it in half the seconds.
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
        mix(&mixed, true, min(COLUMNS, seen - first), lane);
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
