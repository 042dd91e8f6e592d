// Adds the share of one block of targets to the gradient of one chunk of the weight:
//
//   weight_gradient[first_column + c] += sum over i of P[i, c] hidden[row[i]]
//
// Shapes: gradient P [row_count, chunk] from nll_logit_gradient.wgsl, hidden [rows, width quads],
// targets [targets] of (row, token), weight_gradient [vocab, width quads].
// Workgroups: a tile of 128 tokens and 128 columns of the width each, summed over the targets; a lane keeps a block of
// sums in registers.
// Source: arXiv 2411.09009.

#import "parts/entry.wgsl"
#import "parts/chunk_shape.wgsl"
#import "parts/matrix_tile.wgsl"

@group(0) @binding(0) var<storage, read_write> gradient: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> hidden: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> targets: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> weight_gradient: array<vec4<f32>>;
@group(0) @binding(4) var<uniform> shape: Shape;

// Four columns of one row of P; 0 beyond the last row.
fn gradient_at(row: u32, column: u32) -> vec4<f32> {
    let last = shape.row_count - 1u;
    return select(vec4(0.0), gradient[min(row, last) * shape.chunk / 4u + column], row <= last);
}

fn hidden_at(row: u32, column: u32) -> vec4<f32> {
    let start = targets[shape.first_target + min(row, shape.row_count - 1u)].x * shape.width;
    return hidden[start + min(column, shape.width - 1u)];
}

fn run(id: u32, lane: u32) {
    // The rows of this tile are tokens.
    let first_row = (id % shape.row_tiles) * TILE;
    let first_column = (id / shape.row_tiles) * TILE / 4u;
    let x = lane % LANES_X;
    let y = lane / LANES_X;
    var sums = Sums();
    for (var depth = 0u; depth < shape.row_count; depth += DEPTH) {
        for (var piece = lane; piece < 512u; piece += LANES) {
            let line = piece / 32u;
            let quad = piece % 32u;
            tile_rows[row_slot(line, quad)] = gradient_at(depth + line, first_row / 4u + quad);
            tile_columns[column_slot(line, quad)] = hidden_at(depth + line, first_column + quad);
        }
        workgroupBarrier();
        add_product(&sums, y, x);
        workgroupBarrier();
    }

    for (var i = 0u; i < 4u * ROW_QUADS; i++) {
        let token = shape.first_column + first_row + 4u * ROW_QUADS * y + i;
        if token < shape.vocab {
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                let column = first_column + COLUMN_QUADS * x + j;
                if column < shape.width {
                    weight_gradient[token * shape.width + column] += sums[i][j];
                }
            }
        }
    }
}
