// Rotary position embedding, arXiv 2104.09864, pairs as in Hugging Face's rotate_half:
//
//   y[i]        = x[i]        cos[i] - x[i + half] sign sin[i]
//   y[i + half] = x[i + half] cos[i] + x[i]        sign sin[i]
//
// input, output [tokens, heads, 2 half], angles [tokens, 2 half]: the cosines of a token, then its sines.
// sign is 1, or -1 to turn back, which is what a gradient does.
//
// One lane a pair; neighbours read neighbours.

struct Shape {
    // Of all heads of all tokens.
    pairs: u32,
    heads: u32,
    half: u32,
    sign: f32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> angles: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let pair = (group.x + group.y * shape.groups_x) * 256u + lane;
    if pair >= shape.pairs {
        return;
    }
    let i = pair % shape.half;
    let head = pair / shape.half;
    let at = head * 2u * shape.half + i;
    let angle = head / shape.heads * 2u * shape.half + i;
    let a = input[at];
    let b = input[at + shape.half];
    let cosine = angles[angle];
    let sine = shape.sign * angles[angle + shape.half];
    output[at] = a * cosine - b * sine;
    output[at + shape.half] = b * cosine + a * sine;
}
