// Product of two matrices, one tile of 128 rows and 128 columns per workgroup.
//
// 16 terms of every sum are in workgroup memory at a time. A lane keeps a block of 4 ROW_QUADS x 4 COLUMN_QUADS sums
// in registers; the lanes form a grid that is LANES_X wide, and lane y LANES_X + x has block (y, x).
//
// Expects: LANES, ROW_QUADS, COLUMN_QUADS (defines).

// Rows and columns of a tile.
const TILE = 128u;
// Terms of a sum that are in workgroup memory at a time.
const DEPTH = 16u;
const LANES_X = TILE / (4u * COLUMN_QUADS);
const_assert LANES == LANES_X * TILE / (4u * ROW_QUADS);

// The two operands, each [DEPTH, TILE / 4]. Quad q of line k is at q ^ k, which spreads both the writes of a column
// and the reads of a line over the memory banks.
var<workgroup> tile_rows: array<vec4<f32>, 512>;
var<workgroup> tile_columns: array<vec4<f32>, 512>;

// Sums of a lane, [4 ROW_QUADS, COLUMN_QUADS].
alias Sums = array<array<vec4<f32>, COLUMN_QUADS>, 4u * ROW_QUADS>;

fn row_slot(k: u32, quad: u32) -> u32 {
    return k * 32u + (quad ^ k);
}

fn column_slot(k: u32, quad: u32) -> u32 {
    return k * 32u + (quad ^ k);
}

// Adds the product of both operands to block (y, x). All bounds are constants, so that a compiler unrolls the loops
// and keeps the sums in registers.
fn add_product(sums: ptr<function, Sums>, y: u32, x: u32) {
    for (var k = 0u; k < DEPTH; k++) {
        var b: array<vec4<f32>, COLUMN_QUADS>;
        for (var j = 0u; j < COLUMN_QUADS; j++) {
            b[j] = tile_columns[column_slot(k, COLUMN_QUADS * x + j)];
        }
        for (var i = 0u; i < ROW_QUADS; i++) {
            let a = tile_rows[row_slot(k, ROW_QUADS * y + i)];
            for (var j = 0u; j < COLUMN_QUADS; j++) {
                (*sums)[4u * i][j] = fma(vec4(a.x), b[j], (*sums)[4u * i][j]);
                (*sums)[4u * i + 1u][j] = fma(vec4(a.y), b[j], (*sums)[4u * i + 1u][j]);
                (*sums)[4u * i + 2u][j] = fma(vec4(a.z), b[j], (*sums)[4u * i + 2u][j]);
                (*sums)[4u * i + 3u][j] = fma(vec4(a.w), b[j], (*sums)[4u * i + 3u][j]);
            }
        }
    }
}
