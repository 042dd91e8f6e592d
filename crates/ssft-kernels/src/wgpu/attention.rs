//! Host side of the `attention*` shaders.

use super::launch::{launch, room, tensor, variant, word};
use super::plan::plan;
use super::quads::{QUAD, in_quads, without_padding};
use crate::extension::SavedAttention;
use crate::forest::Forest;
use crate::plan_cache::Tiles;
use crate::source::{
    ATTENTION, ATTENTION_DELTA, ATTENTION_KEY_GRADIENT, ATTENTION_QUERY_GRADIENT, HEAD_TILES, Variant,
};
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Rows of a workgroup of `attention_delta.wgsl`.
const DELTA_ROWS: usize = 16;
/// Quads of a head in one head tile: one for each of the 16 lanes that share a row.
const HEAD_TILE: usize = 16;

/// Sizes that the launches share.
struct Sizes {
    queries: usize,
    keys: usize,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Sizes {
    fn of(query: &CubeTensor, key: &CubeTensor) -> Self {
        let ([queries, heads, head_dim], [keys, kv_heads, _]) =
            (query.meta.shape().dims(), key.meta.shape().dims());
        Self { queries, keys, heads, kv_heads, head_dim }
    }

    /// Numbers of a head in quads, `width` in the shaders.
    fn quads(&self) -> usize {
        self.head_dim.div_ceil(QUAD)
    }

    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// The uniform of the shaders that read a plan.
    fn shape(&self) -> [usize; 4] {
        let scale = 1.0 / (self.head_dim as f32).sqrt();
        [self.quads(), self.kv_heads, self.group(), word(scale)]
    }

    /// The variant with enough head tiles.
    fn fit(&self, variant: Variant) -> Variant {
        let fits = |&tiles: &u32| self.quads() <= tiles as usize * HEAD_TILE;
        let tiles = HEAD_TILES.into_iter().find(fits);
        variant.with_head_tiles(tiles.unwrap_or_else(|| {
            let most = HEAD_TILES[HEAD_TILES.len() - 1] as usize * HEAD_TILE * QUAD;
            panic!("tree_attention: heads of {} numbers; on a GPU they have at most {most}", self.head_dim)
        }))
    }

    fn padded(&self, rows: usize, heads: usize) -> [usize; 3] {
        [rows, heads, self.quads() * QUAD]
    }
}

/// Attended values `[queries, heads, head_dim]`, and the log-sum-exp of the scores `[queries, heads]`.
pub fn forward(inputs: [CubeTensor; 3], forest: &Forest) -> [CubeTensor; 2] {
    let sizes = Sizes::of(&inputs[0], &inputs[1]);
    let [query, key, value] = inputs.map(in_quads);
    let Sizes { queries, heads, .. } = sizes;
    let plan = plan(&query, forest, sizes.group(), Tiles::Queries);
    let dims = sizes.padded(queries, heads);
    let output = room(&query.client, dims.iter().product());
    let lse = room(&query.client, queries * heads);
    launch(
        &query.client,
        sizes.fit(variant(ATTENTION, &query.device)),
        plan.tiles * sizes.kv_heads,
        &[&query.handle, &key.handle, &value.handle, &plan.buffer, &output, &lse],
        &sizes.shape(),
    );
    let output = without_padding(tensor(&query, output, &dims), sizes.head_dim);
    [output, tensor(&query, lse, &[queries, heads])]
}

/// Gradients of query, key and value.
pub fn backward(saved: SavedAttention<CubeBackend>, upstream: CubeTensor) -> [CubeTensor; 3] {
    let SavedAttention { query, key, value, forest, output, lse } = saved;
    let sizes = Sizes::of(&query, &key);
    let [query, key, value, output, upstream] = [query, key, value, output, upstream].map(in_quads);
    let (lse, client, device) = (into_contiguous(lse), &query.client, &query.device);
    let Sizes { queries, keys, heads, kv_heads, head_dim } = sizes;
    let stats = room(client, 2 * queries * heads);
    launch(
        client,
        variant(ATTENTION_DELTA, device),
        (queries * heads).div_ceil(DELTA_ROWS),
        &[&upstream.handle, &output.handle, &lse.handle, &stats],
        &[sizes.quads(), queries * heads],
    );

    let (query_dims, key_dims) = (sizes.padded(queries, heads), sizes.padded(keys, kv_heads));
    let room_for = |dims: [usize; 3]| room(client, dims.iter().product());
    let (of_query, of_key, of_value) = (room_for(query_dims), room_for(key_dims), room_for(key_dims));
    let read = [&query.handle, &key.handle, &value.handle, &upstream.handle, &stats];
    for (shader, tiles, written) in [
        (ATTENTION_QUERY_GRADIENT, Tiles::Queries, &[&of_query][..]),
        (ATTENTION_KEY_GRADIENT, Tiles::Keys, &[&of_key, &of_value]),
    ] {
        let plan = plan(&query, &forest, sizes.group(), tiles);
        let buffers = [&read[..], &[&plan.buffer], written].concat();
        let shader = sizes.fit(variant(shader, device));
        launch(client, shader, plan.tiles * kv_heads, &buffers, &sizes.shape());
    }
    [(of_query, query_dims), (of_key, key_dims), (of_value, key_dims)]
        .map(|(gradient, dims)| without_padding(tensor(&query, gradient, &dims), head_dim))
}
