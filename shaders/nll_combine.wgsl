// The second pass of the log-sum-exp: the spans of a row put together.
//
//   lse[i] = log(sum over s of sum[s, i] exp(max[s, i]))
//   nll[i] = lse[i] - target_logit[i]
//
// partials [spans, targets] of (max, sum of exp(logit - max)), target_logit, lse, nll [targets].
//
// One lane a target. The difference to the target's logit is taken before the logarithm is added, so that large
// logits cancel exactly in nll; lse itself, which gradients use, keeps one rounding of the largest logit.

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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.x + group.y * shape.groups_x) * 64u + lane;
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
