// Gradients of the keys and values of an attention over trees, where d is the upstream gradient and p, delta as in
// attention_query_gradient.wgsl:
//
//   value_gradient[u] = sum over t of p[t, u] d[t]
//   key_gradient[u] = scale sum over t of p[t, u] (d[t] . value[u] - delta[t]) query[t]
//
// t goes over the queries that see u, of every head that shares its key head: those of u's own run from u on, and all
// queries of the runs that continue it.
//
// Shapes: key_gradient, value_gradient [keys, kv_heads, width quads], inputs as in parts/attention_gradient.wgsl,
// plan: tiles of keys, then spans of queries.
// Workgroups: 32 keys of one run and one key head each, 64 pairs of a query and a head at a time, always in the same
// order. A lane keeps in registers 4 x 4 weights p, the 4 x 4 products d . value, called slopes, and HEAD_TILES quads of
// both gradients of each of its four rows.
// Source: arXiv 2205.14135.

#import "parts/attention_tile.wgsl"
#import "parts/attention_gradient.wgsl"
#import "parts/spans.wgsl"

@group(0) @binding(6) var<storage, read_write> key_gradient: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> value_gradient: array<vec4<f32>>;
@group(0) @binding(8) var<uniform> shape: Shape;

// Keys of one run.
struct Tile {
    first_key: u32,
    keys: u32,
    // The first query of the run that sees one of the keys, and the number of queries of the run from it on.
    own_query: u32,
    own_queries: u32,
    // Number of the keys that this query sees; the next query sees one more, and so on.
    sees: u32,
    // Lines of the plan with the spans of the queries of the runs that continue this one.
    first_span: u32,
    spans: u32,
    // Pairs of one of these queries and a head, of the heads that share one key head.
    rows: u32,
}

// Of each column: the number of the tile's keys that its query sees, and (lse, delta).
var<workgroup> query_sees: array<u32, 64>;
var<workgroup> query_stats: array<vec2<f32>, 64>;

// The plan has two lines for each tile, and after all tiles one line for each span.
fn tile_of(number: u32) -> Tile {
    let a = plan[2u * number];
    let b = plan[2u * number + 1u];
    return Tile(a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w);
}

// Line of a row in [keys, kv_heads]. Beyond the last row, the last one is computed again; it is not written.
fn place_of(at: Tile, row: u32, kv_head: u32) -> u32 {
    return (at.first_key + min(row, at.keys - 1u)) * shape.kv_heads + kv_head;
}

// (query, number of the tile's keys that it sees) at `position` of the queries that see the tile.
fn query_of(at: Tile, position: u32) -> vec2<u32> {
    if position < at.own_queries {
        return vec2(at.own_query + position, at.sees + position);
    }
    return vec2(token_at(at.first_span, at.spans, position - at.own_queries), at.keys);
}

fn row_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    return key_or_value_at(of_scores, place, k);
}

fn column_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    return query_or_upstream_at(of_scores, place, k);
}

fn run(id: u32, lane: u32) {
    let kv_head = id % shape.kv_heads;
    let at = load_tile(id / shape.kv_heads, lane);
    let x = lane % 16u;
    let y = lane / 16u;
    let row = 4u * y;
    let rows = vec4(row) + vec4(0u, 1u, 2u, 3u);
    let first_of_four = lane / 4u * 4u;
    var places = places_of_rows(at, first_of_four, kv_head);

    var of_key = Mixed();
    var of_value = Mixed();
    for (var first = 0u; first < at.rows; first += COLUMNS) {
        if lane < COLUMNS {
            let position = min(first + lane, at.rows - 1u);
            let viewer = query_of(at, position / shape.group);
            let place = (viewer.x * shape.kv_heads + kv_head) * shape.group + position % shape.group;
            column_places[lane] = place;
            query_sees[lane] = select(0u, viewer.y, first + lane < at.rows);
            query_stats[lane] = stats[place];
        }
        workgroupBarrier();
        if lane >= 32u && lane < 96u {
            places = places_of_columns(first_of_four - 32u);
        }
        // A loop instead of two calls, as in attention_query_gradient.wgsl.
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
        // First the values' gradient, then the keys'. Every turn exchanges the two, so that after both turns each is
        // under its own name again.
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
