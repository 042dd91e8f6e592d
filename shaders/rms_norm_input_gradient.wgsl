// Gradient of the input of a root mean square normalisation, where d is the upstream gradient of a row:
//
//   dx = r (weight d - x r^2 mean(x weight d))      r = 1 / sqrt(mean(x^2) + epsilon)
//
// Shapes: input x, upstream d, gradient dx [rows, width], weight [width], scales [rows]: r, which
// rms_norm_weight_gradient.wgsl reads.
// Workgroups: one row each; 64 lanes take every 64th number.
// Source: arXiv 1910.07467.

#import "parts/entry.wgsl"
#import "parts/norm_row.wgsl"

@group(0) @binding(0) var<storage, read_write> input: array<f32>;
@group(0) @binding(1) var<storage, read_write> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(3) var<storage, read_write> gradient: array<f32>;
@group(0) @binding(4) var<storage, read_write> scales: array<f32>;
@group(0) @binding(5) var<uniform> shape: Shape;

// Sums of x^2 and of x weight d.
alias LaneSum = vec2<f32>;

fn run(id: u32, lane: u32) {
    let start = id * shape.width;
    var squares_and_along = vec2(0.0);
    for (var at = lane; at < shape.width; at += LANES) {
        let x = input[start + at];
        squares_and_along += x * vec2(x, weight[at] * upstream[start + at]);
    }
    let means = sum_of_lanes(lane, squares_and_along) / f32(shape.width);
    let scale = 1.0 / sqrt(means.x + shape.epsilon);
    let along = means.y * scale * scale;
    for (var at = lane; at < shape.width; at += LANES) {
        let through = weight[at] * upstream[start + at];
        gradient[start + at] = scale * (through - input[start + at] * along);
    }
    if lane == 0u {
        scales[id] = scale;
    }
}
