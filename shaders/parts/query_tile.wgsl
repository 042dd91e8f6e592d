// Tile of attention whose rows are queries: 32 pairs of a query of one run and a head, of the heads that share one key
// head. Its columns are the keys that the run sees, 64 at a time.
//
// Expects: plan, an array of vec4<u32>; key and value, each [keys, kv_heads, width quads]; fn row_at (attention_tile.wgsl).

#import "parts/attention_tile.wgsl"
#import "parts/key_or_value.wgsl"
#import "parts/spans.wgsl"

struct Tile {
    // First query of the run.
    first_query: u32,
    // First row, counted from the first query and head of the run.
    first_row: u32,
    rows: u32,
    // Keys before the first query of the run. Query i of the run, from 0, sees i + 1 more.
    seen_by_all: u32,
    // Lines of the plan with the spans of the keys that the run sees.
    first_span: u32,
    spans: u32,
}

// The plan has two lines for each tile, and after all tiles one line for each span.
fn tile_of(number: u32) -> Tile {
    let a = plan[2u * number];
    let b = plan[2u * number + 1u];
    return Tile(a.x, a.y, a.z, a.w, b.x, b.y);
}

// Line of a row in [queries, heads]. Beyond the last row, the last one is computed again; it is not written.
fn place_of(at: Tile, row: u32, kv_head: u32) -> u32 {
    let in_run = at.first_row + min(row, at.rows - 1u);
    let query = at.first_query + in_run / shape.group;
    return (query * shape.kv_heads + kv_head) * shape.group + in_run % shape.group;
}

// Number of keys that a row sees.
fn sees(at: Tile, row: u32) -> u32 {
    return at.seen_by_all + (at.first_row + min(row, at.rows - 1u)) / shape.group + 1u;
}

fn four_see(at: Tile, row: u32) -> vec4<u32> {
    return vec4(sees(at, row), sees(at, row + 1u), sees(at, row + 2u), sees(at, row + 3u));
}

// Sets column_places to the lines of the keys first .. first + 63 in [keys, kv_heads]; beyond `seen`, of the last one.
fn put_key_places(at: Tile, first: u32, seen: u32, kv_head: u32, lane: u32) {
    if lane < COLUMNS {
        let key = token_at(at.first_span, at.spans, min(first + lane, seen - 1u));
        column_places[lane] = key * shape.kv_heads + kv_head;
    }
    workgroupBarrier();
}

fn column_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    return key_or_value_at(of_scores, place, k);
}
