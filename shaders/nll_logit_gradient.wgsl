// Gradient of the loss with respect to one chunk of the logits, which are computed once more:
//
//   P[i, c] = upstream[i] (exp(logit[i, v] - lse[i]) - [v = token[i]])      v = first_column + c
//
// where logit[i, v] = hidden[row[i]] . weight[v], and P is 0 for v beyond the vocabulary.
//
// Shapes: hidden [rows, width quads], weight [vocab, width quads], targets [targets] of (row, token), lse and
// upstream [targets], gradient P [row_count, chunk] of the targets from first_target on.
// Workgroups: a tile of 128 targets and 128 tokens each; a lane keeps a block of logits in registers.
// Source: arXiv 2411.09009.

#import "parts/entry.wgsl"
#import "parts/chunk_shape.wgsl"
#import "parts/logits.wgsl"

@group(0) @binding(0) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<storage, read_write> upstream: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(6) var<uniform> shape: Shape;

fn run(id: u32, lane: u32) {
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var sums = Sums();
    add_logits(
        &sums, lane,
        shape.first_target + first_row, shape.first_target + shape.row_count - 1u,
        shape.first_column + first_column, shape.vocab - 1u,
    );

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let row = first_row + 4u * ROW_QUADS * y + i;
        if row < shape.row_count {
            let index = shape.first_target + row;
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let own = first_column + 4u * (COLUMN_QUADS * x + j);
                let columns = vec4(shape.first_column + own) + vec4(0u, 1u, 2u, 3u);
                let p = exp(sums[i][j] - lse[index]) - vec4<f32>(columns == vec4(targets[index].y));
                let scaled = select(vec4(0.0), upstream[index] * p, columns < vec4(shape.vocab));
                gradient[(row * shape.chunk + own) / 4u] = scaled;
            }
        }
    }
}
