// Stores four lines of four consecutive depths k .. k + 3, transposed, as quad `quad` of tile_rows.
//
// Expects: tile_rows and fn row_slot(k: u32, quad: u32) -> u32.

fn put_rows(k: u32, quad: u32, a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32>) {
    tile_rows[row_slot(k, quad)] = vec4(a.x, b.x, c.x, d.x);
    tile_rows[row_slot(k + 1u, quad)] = vec4(a.y, b.y, c.y, d.y);
    tile_rows[row_slot(k + 2u, quad)] = vec4(a.z, b.z, c.z, d.z);
    tile_rows[row_slot(k + 3u, quad)] = vec4(a.w, b.w, c.w, d.w);
}
