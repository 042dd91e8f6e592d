// Quads of keys (`of_scores`), for scores, or of values, for sums over values and for the product upstream . value.
//
// Expects: key and value, each [keys, kv_heads, width quads]; the uniform `shape` with the field `width`.

// Quad k of a line; 0 beyond the width.
fn key_or_value_at(of_scores: bool, place: u32, k: u32) -> vec4<f32> {
    let at = place * shape.width + min(k, shape.width - 1u);
    if of_scores {
        return select(vec4(0.0), key[at], k < shape.width);
    }
    return select(vec4(0.0), value[at], k < shape.width);
}
