//! Host side of the five `nll_*` shaders.

use super::launch::{launch, room, tensor, upload};
use crate::source::{
    NLL_COMBINE, NLL_HIDDEN_GRADIENT, NLL_LOGIT_GRADIENT, NLL_PARTIALS, NLL_WEIGHT_GRADIENT,
};
use crate::targets::Targets;
use burn::backend::ops::FloatTensorOps;
use burn_wgpu::{CubeBackend, CubeTensor, into_contiguous};

/// Rows and columns of a workgroup's tile, in every shader but the combining one.
const TILE: usize = 128;
/// Numbers that a lane loads at once.
const QUAD: usize = 4;
/// Workgroups that keep a large GPU busy; more spans would only make more partial sums.
const ENOUGH_GROUPS: usize = 1024;
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
}

/// Row-major, with zeros up to a multiple of four columns. Only an unusual width costs a copy.
fn in_quads(tensor: CubeTensor) -> CubeTensor {
    let [rows, width] = tensor.meta.shape().dims();
    if width % QUAD == 0 {
        return into_contiguous(tensor);
    }
    let padded = [rows, width.next_multiple_of(QUAD)];
    let zeros = CubeBackend::float_zeros(padded.into(), &tensor.device, tensor.dtype.into());
    CubeBackend::float_slice_assign(zeros, &[(0..rows).into(), (0..width).into()], tensor)
}

/// The reverse of [`in_quads`].
fn without_padding(tensor: CubeTensor, width: usize) -> CubeTensor {
    let [rows, padded] = tensor.meta.shape().dims();
    match padded == width {
        true => tensor,
        false => CubeBackend::float_slice(tensor, &[(0..rows).into(), (0..width).into()]),
    }
}

impl Inputs {
    /// `hidden [rows, width]`, `weight [vocab, width]`.
    pub fn new(hidden: CubeTensor, weight: CubeTensor, targets: Targets) -> Self {
        let width = weight.meta.shape()[1];
        Self { hidden: in_quads(hidden), weight: in_quads(weight), width, targets }
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
    let span = vocab.div_ceil(ENOUGH_GROUPS.div_ceil(row_tiles)).next_multiple_of(TILE);
    let spans = vocab.div_ceil(span);

    let pairs = upload(client, targets.pairs());
    let partials = room(client, 2 * spans * count);
    let target_logit = room(client, count);
    launch(
        hidden,
        NLL_PARTIALS,
        row_tiles * spans,
        &[&hidden.handle, &weight.handle, &pairs, &partials, &target_logit],
        &[count, inputs.quads(), vocab, span, row_tiles],
    );
    let (lse, nll) = (room(client, count), room(client, count));
    launch(
        hidden,
        NLL_COMBINE,
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
    let most_rows = (MOST_CHUNK_BYTES / size_of::<f32>() / most_columns).max(1).min(count);
    let pairs = upload(client, targets.pairs());
    let logit_gradient = room(client, most_rows * most_columns);
    let width_tiles = (quads * QUAD).div_ceil(TILE);
    for first_target in (0..count).step_by(most_rows) {
        let rows = most_rows.min(count - first_target);
        for first_column in (0..vocab).step_by(most_columns) {
            let chunk = most_columns.min((vocab - first_column).next_multiple_of(TILE));
            let (row_tiles, column_tiles) = (rows.div_ceil(TILE), chunk / TILE);
            let shape = |tiles: usize| [quads, vocab, first_target, rows, first_column, chunk, tiles];
            let read =
                [&hidden.handle, &weight.handle, &pairs, &lse.handle, &upstream.handle, &logit_gradient];
            launch(hidden, NLL_LOGIT_GRADIENT, row_tiles * column_tiles, &read, &shape(row_tiles));
            if let Some(out) = &gradients[0] {
                let buffers = [&logit_gradient, &weight.handle, &pairs, &out.handle];
                launch(hidden, NLL_HIDDEN_GRADIENT, row_tiles * width_tiles, &buffers, &shape(row_tiles));
            }
            if let Some(out) = &gradients[1] {
                let buffers = [&logit_gradient, &hidden.handle, &pairs, &out.handle];
                launch(
                    hidden,
                    NLL_WEIGHT_GRADIENT,
                    column_tiles * width_tiles,
                    &buffers,
                    &shape(column_tiles),
                );
            }
        }
    }
    gradients.map(|gradient| gradient.map(|gradient| without_padding(gradient, inputs.width)))
}
