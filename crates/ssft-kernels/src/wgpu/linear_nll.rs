//! Host side of the five `nll_*` shaders.

use super::launch::{lane_tile, launch, one_lane_each, room, tensor, upload};
use super::quads::{QUAD, in_quads, without_padding};
use crate::extension::Wanted;
use crate::source::{
    LaneTile, NLL_COMBINE, NLL_HIDDEN_GRADIENT, NLL_LOGIT_GRADIENT, NLL_PARTIALS, NLL_WEIGHT_GRADIENT, Shader,
};
use crate::targets::Targets;
use burn::backend::ops::FloatTensorOps;
use burn::cubecl::server::Handle;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Rows and columns of a workgroup's tile, in all shaders but `nll_combine.wgsl`.
const TILE: usize = 128;
/// Workgroups that keep a large GPU busy. More spans would only add partial sums.
const ENOUGH_GROUPS: usize = 1024;
/// Most spans of the vocabulary, each with two numbers for every target.
const MOST_SPANS: usize = 64;
/// Chunks of the vocabulary in a backward pass, if neither of the two limits below applies.
const CHUNKS: usize = 64;
/// Fewest columns of a chunk. With fewer, the overhead of a dispatch would be larger than its work.
const LEAST_CHUNK: usize = 512;
/// Most bytes of a chunk: half of WebGPU's default limit for a storage binding.
const MOST_CHUNK_BYTES: usize = 64 << 20;

/// Inputs of both passes.
#[derive(Debug)]
pub struct Inputs {
    hidden: CubeTensor,
    weight: CubeTensor,
    /// Columns of both, before they were padded.
    width: usize,
    targets: Targets,
    tile: LaneTile,
    /// Most bytes of a chunk of logit gradients.
    most_bytes: usize,
}

impl Inputs {
    /// `hidden [rows, width]`, `weight [vocab, width]`.
    pub fn new(hidden: CubeTensor, weight: CubeTensor, targets: Targets) -> Self {
        let tile = lane_tile(&hidden.device);
        let width = weight.meta.shape()[1];
        Self {
            hidden: in_quads(hidden),
            weight: in_quads(weight),
            width,
            targets,
            tile,
            most_bytes: MOST_CHUNK_BYTES,
        }
    }

    /// Columns in quads, `width` in the shaders.
    fn quads(&self) -> usize {
        self.width.div_ceil(QUAD)
    }

    fn vocab(&self) -> usize {
        self.weight.meta.shape()[0]
    }
}

/// Negative log-likelihood and log-sum-exp of every target, each `[targets]`.
pub fn forward(inputs: &Inputs) -> [CubeTensor; 2] {
    let Inputs { hidden, weight, targets, tile, .. } = inputs;
    let client = &hidden.client;
    let (count, vocab) = (targets.len(), inputs.vocab());
    let row_tiles = count.div_ceil(TILE);
    let wanted = ENOUGH_GROUPS.div_ceil(row_tiles).min(MOST_SPANS);
    let span = vocab.div_ceil(wanted).next_multiple_of(TILE);
    let spans = vocab.div_ceil(span);

    let pairs = upload(client, targets.pairs());
    let partials = room(client, 2 * spans * count);
    let target_logit = room(client, count);
    launch(
        client,
        NLL_PARTIALS.variant(*tile),
        row_tiles * spans,
        &[&hidden.handle, &weight.handle, &pairs, &partials, &target_logit],
        &[count, inputs.quads(), vocab, span, row_tiles],
    );
    let (lse, nll) = (room(client, count), room(client, count));
    let combine = NLL_COMBINE.variant(*tile);
    launch(
        client,
        combine,
        one_lane_each(combine, count),
        &[&partials, &target_logit, &lse, &nll],
        &[count, spans],
    );
    [tensor(hidden, nll, &[count]), tensor(hidden, lse, &[count])]
}

/// The wanted gradients of `sum_i upstream[i] nll[i]`, of the hidden states and of the weight.
///
/// The logits are computed once more, one chunk of the vocabulary at a time, and the gradient of every chunk is written to
/// the same memory.
pub fn backward(
    inputs: &Inputs,
    lse: CubeTensor,
    upstream: CubeTensor,
    wanted: Wanted,
) -> [Option<CubeTensor>; 2] {
    let Inputs { hidden, weight, targets, .. } = inputs;
    let (count, vocab) = (targets.len(), inputs.vocab());
    let zeros = |like: &CubeTensor| {
        CubeBackend::float_zeros(like.meta.shape().clone(), &like.device, like.dtype.into())
    };
    let of_hidden = wanted.input.then(|| zeros(hidden));
    let of_weight = wanted.weight.then(|| zeros(weight));

    let most_columns = vocab.div_ceil(CHUNKS).max(LEAST_CHUNK).min(vocab).next_multiple_of(TILE);
    let most_rows = (inputs.most_bytes / size_of::<f32>() / most_columns).max(1).min(count);
    let pass = Backward {
        inputs,
        pairs: upload(&hidden.client, targets.pairs()),
        lse: into_contiguous(lse),
        upstream: into_contiguous(upstream),
        logit_gradient: room(&hidden.client, most_rows * most_columns),
    };
    for first_target in (0..count).step_by(most_rows) {
        let rows = most_rows.min(count - first_target);
        for first_column in (0..vocab).step_by(most_columns) {
            let columns = most_columns.min((vocab - first_column).next_multiple_of(TILE));
            let chunk = Chunk { first_target, rows, first_column, columns };
            pass.compute_logit_gradient(chunk);
            if let Some(out) = &of_hidden {
                pass.add_hidden_gradient(chunk, out);
            }
            if let Some(out) = &of_weight {
                pass.add_weight_gradient(chunk, out);
            }
        }
    }
    [of_hidden, of_weight].map(|gradient| Some(without_padding(gradient?, inputs.width)))
}

/// A part of the logits: some targets, and some tokens of the vocabulary, a multiple of [`TILE`].
#[derive(Debug, Clone, Copy)]
struct Chunk {
    first_target: usize,
    rows: usize,
    first_column: usize,
    columns: usize,
}

impl Chunk {
    fn row_tiles(&self) -> usize {
        self.rows.div_ceil(TILE)
    }

    fn column_tiles(&self) -> usize {
        self.columns / TILE
    }
}

/// Buffers of a backward pass.
struct Backward<'a> {
    inputs: &'a Inputs,
    /// (row, token) of every target.
    pairs: Handle,
    lse: CubeTensor,
    upstream: CubeTensor,
    /// `[rows, columns]` of the current chunk.
    logit_gradient: Handle,
}

impl Backward<'_> {
    fn compute_logit_gradient(&self, chunk: Chunk) {
        let Inputs { hidden, weight, .. } = self.inputs;
        let read = [&hidden.handle, &weight.handle, &self.pairs, &self.lse.handle, &self.upstream.handle];
        let buffers = [&read[..], &[&self.logit_gradient]].concat();
        self.launch(NLL_LOGIT_GRADIENT, [chunk.row_tiles(), chunk.column_tiles()], &buffers, chunk);
    }

    fn add_hidden_gradient(&self, chunk: Chunk, out: &CubeTensor) {
        let buffers = [&self.logit_gradient, &self.inputs.weight.handle, &self.pairs, &out.handle];
        self.launch(NLL_HIDDEN_GRADIENT, [chunk.row_tiles(), self.width_tiles()], &buffers, chunk);
    }

    fn add_weight_gradient(&self, chunk: Chunk, out: &CubeTensor) {
        let buffers = [&self.logit_gradient, &self.inputs.hidden.handle, &self.pairs, &out.handle];
        self.launch(NLL_WEIGHT_GRADIENT, [chunk.column_tiles(), self.width_tiles()], &buffers, chunk);
    }

    fn width_tiles(&self) -> usize {
        (self.inputs.quads() * QUAD).div_ceil(TILE)
    }

    /// Starts one workgroup for each of `down` times `across` tiles of the result.
    fn launch(&self, shader: Shader, [down, across]: [usize; 2], buffers: &[&Handle], chunk: Chunk) {
        let Chunk { first_target, rows, first_column, columns } = chunk;
        let (quads, vocab) = (self.inputs.quads(), self.inputs.vocab());
        let shape = [quads, vocab, first_target, rows, first_column, columns, down];
        let variant = shader.variant(self.inputs.tile);
        launch(&self.inputs.hidden.client, variant, down * across, buffers, &shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::adapters, reference};
    use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
    use burn::tensor::{Device, Tensor, TensorData, Tolerance};

    /// 100 rows of 1024 columns.
    const SMALL_CHUNK_BYTES: usize = 100 << 12;

    /// Both passes with a given lane tile, and with chunks of few rows. An adapter by itself has one tile and large chunks.
    #[backend_extension(Cube)]
    trait WithTile: Backend {
        fn nll_and_gradients(
            hidden: FloatTensor<Self>,
            weight: FloatTensor<Self>,
            upstream: FloatTensor<Self>,
            targets: Targets,
            tile: LaneTile,
        ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    }

    impl WithTile for CubeBackend {
        fn nll_and_gradients(
            hidden: CubeTensor,
            weight: CubeTensor,
            upstream: CubeTensor,
            targets: Targets,
            tile: LaneTile,
        ) -> (CubeTensor, CubeTensor, CubeTensor) {
            let inputs =
                Inputs { tile, most_bytes: SMALL_CHUNK_BYTES, ..Inputs::new(hidden, weight, targets) };
            let [nll, lse] = forward(&inputs);
            let [hidden, weight] =
                backward(&inputs, lse, upstream, Wanted { input: true, weight: true }).map(Option::unwrap);
            (nll, hidden, weight)
        }
    }

    #[test]
    fn every_lane_tile_computes_the_same() {
        let adapters = pollster::block_on(adapters());
        let adapter =
            adapters.first().expect("no graphics adapter; `cargo xtask setup` installs a software one");
        let device = pollster::block_on(adapter.start()).unwrap();
        for [rows, width, vocab] in [[1, 1, 1], [130, 20, 1300], [257, 135, 640]] {
            let wave =
                |count: usize, pace: f32| (0..count).map(|i| (i as f32 * pace).sin()).collect::<Vec<_>>();
            let draw = |lines: usize, pace: f32| {
                Tensor::<2>::from_data(TensorData::new(wave(lines * width, pace), [lines, width]), &device)
            };
            let (hidden, weight) = (draw(rows, 1.7), draw(vocab, 2.3));
            let targets =
                Targets::every_row(&(0..rows).map(|row| (row * 7 % vocab) as i32).collect::<Vec<_>>());
            let upstream = Tensor::<1>::from_data(TensorData::new(wave(rows, 0.9), [rows]), &device);

            let cpu = Device::flex().autodiff();
            let [tracked, tracked_weight] =
                [&hidden, &weight].map(|tensor| Tensor::from_data(tensor.to_data(), &cpu).require_grad());
            let plain = reference::linear_nll(tracked.clone(), tracked_weight.clone(), &targets);
            let gradients = (plain.clone() * Tensor::from_data(upstream.to_data(), &cpu)).sum().backward();
            let [plain_hidden, plain_weight] =
                [tracked, tracked_weight].map(|input| input.grad(&gradients).unwrap());

            for tile in LaneTile::ALL {
                let (nll, hidden, weight) = Dispatch::nll_and_gradients(
                    hidden.clone().into_dispatch(),
                    weight.clone().into_dispatch(),
                    upstream.clone().into_dispatch(),
                    targets.clone(),
                    tile,
                );
                // Both sides are f32, with sums of up to 1300 terms in different orders.
                let tolerance = Tolerance::rel_abs(1e-4, 4e-6);
                let close =
                    |found: TensorData, plain: TensorData| found.assert_approx_eq::<f32>(&plain, tolerance);
                close(Tensor::<1>::from_dispatch(nll).into_data(), plain.to_data());
                close(Tensor::<2>::from_dispatch(hidden).into_data(), plain_hidden.to_data());
                close(Tensor::<2>::from_dispatch(weight).into_data(), plain_weight.to_data());
            }
        }
    }
}
