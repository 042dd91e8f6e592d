// Combines the log-sum-exps of all spans of the vocabulary:
//
//   lse[i] = log(sum over s of sum[s, i] exp(max[s, i]))
//   nll[i] = lse[i] - target_logit[i]
//
// Shapes: partials [spans, targets] of (max, sum) from nll_partials.wgsl, target_logit, lse, nll [targets].
// Workgroups: 64 targets each, one per lane.
//
// nll subtracts the target's logit from the maximum before it adds the logarithm: the difference of two large logits is
// exact. lse, which gradients use, has one rounding of the largest logit.

#import "parts/entry.wgsl"

struct Shape {
    targets: u32,
    spans: u32,
    groups: u32,
    groups_x: u32,
}

@group(0) @binding(0) var<storage, read_write> partials: array<vec2<f32>>;
@group(0) @binding(1) var<storage, read_write> target_logit: array<f32>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> nll: array<f32>;
@group(0) @binding(4) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let i = id * LANES + lane;
    if i >= shape.targets {
        return;
    }
    var top = partials[i].x;
    for (var s = 1u; s < shape.spans; s++) {
        top = max(top, partials[s * shape.targets + i].x);
    }
    var sum = 0.0;
    for (var s = 0u; s < shape.spans; s++) {
        let part = partials[s * shape.targets + i];
        sum += part.y * exp(part.x - top);
    }
    lse[i] = top + log(sum);
    nll[i] = (top - target_logit[i]) + log(sum);
}
