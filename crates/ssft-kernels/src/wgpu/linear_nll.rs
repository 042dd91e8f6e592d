//! Host side of the five `nll_*` shaders.

use super::launch::{lane_tile, launch, room, tensor, upload};
use super::quads::{QUAD, in_quads, without_padding};
use crate::source::{
    LaneTile, NLL_COMBINE, NLL_HIDDEN_GRADIENT, NLL_LOGIT_GRADIENT, NLL_PARTIALS, NLL_WEIGHT_GRADIENT,
};
use crate::targets::Targets;
use burn::backend::ops::FloatTensorOps;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Rows and columns of a workgroup's tile, in every shader but the combining one.
const TILE: usize = 128;
/// Workgroups that keep a large GPU busy; more spans would only make more partial sums.
const ENOUGH_GROUPS: usize = 1024;
/// Spans of the vocabulary at most: two numbers each for every target.
const MOST_SPANS: usize = 64;
/// A chunk of logit gradients holds this part of the vocabulary ..
const CHUNKS: usize = 64;
/// .. but at least so many columns, or a dispatch is too small to be worth its overhead ..
const LEAST_CHUNK: usize = 512;
/// .. and at most so many bytes: half of WebGPU's default storage binding.
const MOST_CHUNK_BYTES: usize = 64 << 20;

/// What the shaders read.
#[derive(Debug)]
pub struct Inputs {
    hidden: CubeTensor,
    weight: CubeTensor,
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

    /// What the shaders call the width.
    fn quads(&self) -> usize {
        self.width.div_ceil(QUAD)
    }

    fn vocab(&self) -> usize {
        self.weight.meta.shape()[0]
    }
}

/// Negative log-likelihood and log-sum-exp of every target, each `[targets]`.
pub fn forward(inputs: &Inputs) -> [CubeTensor; 2] {
    let Inputs { hidden, weight, targets, .. } = inputs;
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
        (NLL_PARTIALS, inputs.tile),
        row_tiles * spans,
        &[&hidden.handle, &weight.handle, &pairs, &partials, &target_logit],
        &[count, inputs.quads(), vocab, span, row_tiles],
    );
    let (lse, nll) = (room(client, count), room(client, count));
    launch(
        client,
        (NLL_COMBINE, inputs.tile),
        count.div_ceil(NLL_COMBINE.lanes as usize),
        &[&partials, &target_logit, &lse, &nll],
        &[count, spans],
    );
    [tensor(hidden, nll, &[count]), tensor(hidden, lse, &[count])]
}

/// Gradients of `sum_i upstream[i] nll[i]`: of the hidden states if `wanted[0]`, of the weight if `wanted[1]`.
///
/// The logits are computed once more, a chunk of the vocabulary at a time, into the same piece of memory.
pub fn backward(
    inputs: &Inputs,
    lse: CubeTensor,
    upstream: CubeTensor,
    wanted: [bool; 2],
) -> [Option<CubeTensor>; 2] {
    let Inputs { hidden, weight, targets, .. } = inputs;
    let client = &hidden.client;
    let (count, quads, vocab) = (targets.len(), inputs.quads(), inputs.vocab());
    let (lse, upstream) = (into_contiguous(lse), into_contiguous(upstream));
    let zeros = |like: &CubeTensor| {
        CubeBackend::float_zeros(like.meta.shape().clone(), &like.device, like.dtype.into())
    };
    let gradients = [wanted[0].then(|| zeros(hidden)), wanted[1].then(|| zeros(weight))];

    let most_columns = vocab.div_ceil(CHUNKS).max(LEAST_CHUNK).min(vocab).next_multiple_of(TILE);
    let most_rows = (inputs.most_bytes / size_of::<f32>() / most_columns).max(1).min(count);
    let pairs = upload(client, targets.pairs());
    let logit_gradient = room(client, most_rows * most_columns);
    let width_tiles = (quads * QUAD).div_ceil(TILE);
    for first_target in (0..count).step_by(most_rows) {
        let rows = most_rows.min(count - first_target);
        for first_column in (0..vocab).step_by(most_columns) {
            let chunk = most_columns.min((vocab - first_column).next_multiple_of(TILE));
            let (row_tiles, column_tiles) = (rows.div_ceil(TILE), chunk / TILE);
            let shape = |tiles: usize| [quads, vocab, first_target, rows, first_column, chunk, tiles];
            let buffers =
                [&hidden.handle, &weight.handle, &pairs, &lse.handle, &upstream.handle, &logit_gradient];
            launch(
                client,
                (NLL_LOGIT_GRADIENT, inputs.tile),
                row_tiles * column_tiles,
                &buffers,
                &shape(row_tiles),
            );
            if let Some(out) = &gradients[0] {
                let buffers = [&logit_gradient, &weight.handle, &pairs, &out.handle];
                launch(
                    client,
                    (NLL_HIDDEN_GRADIENT, inputs.tile),
                    row_tiles * width_tiles,
                    &buffers,
                    &shape(row_tiles),
                );
            }
            if let Some(out) = &gradients[1] {
                let buffers = [&logit_gradient, &hidden.handle, &pairs, &out.handle];
                launch(
                    client,
                    (NLL_WEIGHT_GRADIENT, inputs.tile),
                    column_tiles * width_tiles,
                    &buffers,
                    &shape(column_tiles),
                );
            }
        }
    }
    gradients.map(|gradient| gradient.map(|gradient| without_padding(gradient, inputs.width)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{adapters::adapters, reference};
    use burn::backend::{Backend, Dispatch, backend_extension, tensor::FloatTensor};
    use burn::tensor::{Device, Tensor, TensorData, Tolerance};

    /// An adapter takes one lane tile and a chunk of many rows by itself; this takes any tile and few rows.
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
            let inputs = Inputs { tile, most_bytes: 100 << 12, ..Inputs::new(hidden, weight, targets) };
            let [nll, lse] = forward(&inputs);
            let [hidden, weight] = backward(&inputs, lse, upstream, [true, true]).map(Option::unwrap);
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
                // Two f32 methods against each other, with sums of up to 1300 terms in different orders.
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
