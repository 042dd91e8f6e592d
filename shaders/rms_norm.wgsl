// Root mean square normalisation:
//
//   y[i] = weight x[i] r[i]      r[i] = 1 / sqrt(mean(x[i]^2) + epsilon)
//
// Shapes: input x and output y [rows, width], weight [width].
// Workgroups: one row each; 64 lanes take every 64th number.
// Source: arXiv 1910.07467.

#import "parts/entry.wgsl"
#import "parts/norm_row.wgsl"

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(0) @binding(3) var<uniform> shape: Shape;

// Sum of the squares.
alias LaneSum = f32;

fn run(id: u32, lane: u32) {
    let start = id * shape.width;
    var squares = 0.0;
    for (var at = lane; at < shape.width; at += LANES) {
        let x = input[start + at];
        squares += x * x;
    }
    let scale = 1.0 / sqrt(sum_of_lanes(lane, squares) / f32(shape.width) + shape.epsilon);
    for (var at = lane; at < shape.width; at += LANES) {
        output[start + at] = input[start + at] * scale * weight[at];
    }
}
