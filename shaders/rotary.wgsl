// Rotary position embedding:
//
//   y[i]        = x[i]        cos[i] - x[i + half] sign sin[i]
//   y[i + half] = x[i + half] cos[i] + x[i]        sign sin[i]
//
// Shapes: input x and output y [tokens, heads, 2 half], angles [tokens, 2 half]: the cosines of a token, then its sines.
// sign is 1, or -1 for the inverse rotation, which is the gradient.
// Workgroups: 256 pairs (i, i + half) each, one per lane; neighbouring lanes read neighbouring numbers.
// Source: arXiv 2104.09864, with the pairs of Hugging Face's rotate_half.

#import "parts/entry.wgsl"

struct Shape {
    // Pairs of all heads of all tokens.
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

fn run(id: u32, lane: u32) {
    let pair = id * LANES + lane;
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
