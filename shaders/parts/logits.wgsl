// Logits of a tile, hidden[row[i]] . weight[v]: its rows are targets i, its columns are tokens v.
//
// Expects: hidden [rows, width], weight [vocab, width], targets of (row, token), and shape.width in quads.

#import "parts/matrix_tile.wgsl"
#import "parts/put_rows.wgsl"
#import "parts/put_columns.wgsl"

// The loads of a tile are 256 pieces, PIECES for each lane. A piece is one quad of each of four lines: of hidden states
// for the first 128 pieces, of weights for the others.
const PIECES = 256u / LANES;
alias Starts = array<vec4<u32>, PIECES>;

// Quad k of a line that begins at `start`; 0 beyond the width.
fn hidden_at(start: u32, k: u32) -> vec4<f32> {
    return select(vec4(0.0), hidden[start + min(k, shape.width - 1u)], k < shape.width);
}

fn weight_at(start: u32, k: u32) -> vec4<f32> {
    return select(vec4(0.0), weight[start + min(k, shape.width - 1u)], k < shape.width);
}

// Starts of the four lines of a piece: hidden states of targets (lines 4 quad .. 4 quad + 3 of the tile, quad < 32), or
// weights of tokens. Beyond the last target or token, the last one is read again; its logits are not used.
fn piece_starts(quad: u32, first_target: u32, last_target: u32, first_token: u32, last_token: u32) -> vec4<u32> {
    if quad < 32u {
        let i = min(vec4(first_target + 4u * quad) + vec4(0u, 1u, 2u, 3u), vec4(last_target));
        return shape.width * vec4(targets[i.x].x, targets[i.y].x, targets[i.z].x, targets[i.w].x);
    }
    return shape.width * min(vec4(first_token + 4u * (quad - 32u)) + vec4(0u, 1u, 2u, 3u), vec4(last_token));
}

// Adds a lane's block of the logits of the tile that begins at (first_target, first_token).
fn add_logits(
    sums: ptr<function, Sums>, lane: u32,
    first_target: u32, last_target: u32, first_token: u32, last_token: u32,
) {
    var starts: Starts;
    for (var piece = 0u; piece < PIECES; piece++) {
        let quad = (lane + piece * LANES) / 4u;
        starts[piece] = piece_starts(quad, first_target, last_target, first_token, last_token);
    }
    for (var depth = 0u; depth < shape.width; depth += DEPTH / 4u) {
        let k = depth + lane % 4u;
        for (var piece = 0u; piece < PIECES; piece++) {
            let quad = (lane + piece * LANES) / 4u;
            let at = starts[piece];
            if quad < 32u {
                put_rows(4u * (lane % 4u), quad, hidden_at(at.x, k), hidden_at(at.y, k), hidden_at(at.z, k), hidden_at(at.w, k));
            } else {
                put_columns(4u * (lane % 4u), quad - 32u, weight_at(at.x, k), weight_at(at.y, k), weight_at(at.z, k), weight_at(at.w, k));
            }
        }
        workgroupBarrier();
        add_product(sums, lane / LANES_X, lane % LANES_X);
        workgroupBarrier();
    }
}
