// Inputs of both gradients of an attention:
//
// query, upstream [queries, heads, width quads], key, value [keys, kv_heads, width quads],
// stats [queries, heads] of (lse, delta) from attention_delta.wgsl, plan: tiles, then spans.
//
// Expects: the uniform `shape` with the field `width`.

#import "parts/key_or_value.wgsl"

@group(0) @binding(0) var<storage, read_write> query: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> key: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> value: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> upstream: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2<f32>>;
@group(0) @binding(5) var<storage, read_write> plan: array<vec4<u32>>;

// Query operand of both products: queries for scores, upstream gradients for the other. Quad k of a line; 0 beyond the
// width.
fn query_or_upstream_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_scores {
        return select(vec4(0.0), query[at], k < shape.width);
    }
    return select(vec4(0.0), upstream[at], k < shape.width);
}
