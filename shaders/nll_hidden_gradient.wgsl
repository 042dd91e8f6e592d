// Adds the share of one chunk of the vocabulary to the gradient of the hidden states:
//
//   hidden_gradient[row[i]] += sum over c of P[i, c] weight[first_column + c]
//
// Shapes: gradient P [row_count, chunk] from nll_logit_gradient.wgsl, weight [vocab, width quads],
// targets [targets] of (row, token), hidden_gradient [rows, width quads].
// Workgroups: a tile of 128 targets and 128 columns of the width each, summed over the chunk; a lane keeps a block of sums
// in registers. No two targets share a row, so that no two lanes write to one element.
// Source: arXiv 2411.09009.

#import "parts/entry.wgsl"
#import "parts/chunk_shape.wgsl"
#import "parts/matrix_tile.wgsl"
#import "parts/put_rows.wgsl"

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> weight: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> hidden_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> shape: Shape;

// Four elements of a row of P. Beyond the last row, the last one is summed again; it is not written.
fn gradient_at(row: u32, column: u32) -> vec4<f32> {
    return gradient[min(row, shape.row_count - 1u) * shape.chunk / 4u + column];
}

// Four columns of the weight of one token. Beyond the vocabulary P is 0, and the last token is read again.
fn weight_at(token: u32, column: u32) -> vec4<f32> {
    return weight[min(token, shape.vocab - 1u) * shape.width + min(column, shape.width - 1u)];
}

fn run(id: u32, lane: u32) {
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE / 4u;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var sums = Sums();
    for (var depth = 0u; depth < shape.chunk; depth += DEPTH) {
        // 128 pieces of P of four rows by four columns each; 128 pieces of the weight of one quad of four lines each.
        for (var piece = lane; piece < 256u; piece += LANES) {
            if piece < 128u {
                let row = first_row + piece / 4u * 4u;
                let k = depth / 4u + piece % 4u;
                put_rows(
                    piece % 4u * 4u, piece / 4u,
                    gradient_at(row, k), gradient_at(row + 1u, k), gradient_at(row + 2u, k), gradient_at(row + 3u, k),
                );
            } else {
                let quad = piece % 32u;
                for (var line = (piece - 128u) / 32u; line < DEPTH; line += 4u) {
                    let token = shape.first_column + depth + line;
                    tile_columns[column_slot(line, quad)] = weight_at(token, first_column + quad);
                }
            }
        }
        workgroupBarrier();
        add_product(&sums, y, x);
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let row = first_row + 4u * ROW_QUADS * y + i;
        if row < shape.row_count {
            let start = targets[shape.first_target + row].x * shape.width;
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let column = first_column + COLUMN_QUADS * x + j;
                if column < shape.width {
                    hidden_gradient[start + column] += sums[i][j];
                }
            }
        }
    }
}
