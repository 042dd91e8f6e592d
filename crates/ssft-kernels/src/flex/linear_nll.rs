//! Negative log-likelihood of a linear head on the CPU, one tile of logits at a time.

use super::exponential::{max_and_sum_exp, scaled_exp};
use super::matrix::{Matrix, Store, multiply};
use super::parallel::*;
use crate::targets::Targets;
use std::borrow::Cow;

/// Rows of a tile: 128 x 512 logits are 256 KiB, which fit in the cache of a core.
const TILE_ROWS: usize = 128;
/// Columns (tokens of the vocabulary) of a tile.
const TILE_VOCAB: usize = 512;
/// Columns of a task of the forward pass. The number is fixed, so that sums do not depend on the number of cores.
const SPAN: usize = 8 * TILE_VOCAB;
/// Rows of a block of the backward pass: 2 MiB of logit gradients are in memory at a time.
const BLOCK_ROWS: usize = 8 * TILE_ROWS;
/// Tokens of a task that computes gradients of the weight.
const TASK_TOKENS: usize = 64;

/// Inputs of both passes.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `[rows, width]`.
    pub hidden: &'a [f32],
    /// `[vocab, width]`.
    pub weight: &'a [f32],
    /// Columns of both.
    pub width: usize,
    /// Rows and the tokens that they predict.
    pub targets: &'a Targets,
}

/// Where the gradients are stored, zeros before; `None` if a gradient is not wanted.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// `[rows, width]`.
    pub hidden: Option<&'a mut [f32]>,
    /// `[vocab, width]`.
    pub weight: Option<&'a mut [f32]>,
}

/// Log-sum-exp of a part of the logits of one row.
#[derive(Debug, Clone, Copy)]
struct Partial {
    /// Largest logit.
    max: f32,
    /// Sum of `exp(logit - max)`.
    sum: f64,
    /// Logit of the target, if it is in this part.
    target: Option<f32>,
}

impl Partial {
    const EMPTY: Self = Self { max: f32::MIN, sum: 0.0, target: None };

    fn merge(self, other: Self) -> Self {
        let max = self.max.max(other.max);
        let scaled = |part: Self| part.sum * f64::from(part.max - max).exp();
        Self { max, sum: scaled(self) + scaled(other), target: self.target.or(other.target) }
    }

    /// Negative log-likelihood and log-sum-exp.
    fn finish(self) -> (f32, f32) {
        let lse = f64::from(self.max) + self.sum.ln();
        let target = self.target.map_or(f64::NAN, f64::from);
        ((lse - target) as f32, lse as f32)
    }
}

impl<'a> Inputs<'a> {
    fn vocab(&self) -> usize {
        self.weight.len() / self.width
    }

    /// Hidden states of the targets `from..to`, `[to - from, width]`; not copied if the rows are consecutive.
    fn gather(&self, from: usize, to: usize) -> Cow<'a, [f32]> {
        let pairs = &self.targets.pairs()[from..to];
        let row = |index: u32| index as usize * self.width..(index as usize + 1) * self.width;
        let (first, last) = (pairs[0][0], pairs[pairs.len() - 1][0]);
        if self.targets.are_consecutive(from, to) {
            return Cow::Borrowed(&self.hidden[row(first).start..row(last).end]);
        }
        Cow::Owned(pairs.iter().flat_map(|&[index, _]| &self.hidden[row(index)]).copied().collect())
    }

    /// Weights of the tokens `from..to`.
    fn weights(&self, from: usize, to: usize) -> Matrix<'a> {
        Matrix::rows(&self.weight[from * self.width..to * self.width], self.width)
    }
}

/// Negative log-likelihood and log-sum-exp of every target.
///
/// A task has a block of rows and a span of the vocabulary, and goes through the span tile by tile with an online
/// log-sum-exp (arXiv 1805.02867).
pub fn forward(inputs: Inputs<'_>) -> (Vec<f32>, Vec<f32>) {
    let spans = inputs.vocab().div_ceil(SPAN);
    let blocks = inputs.targets.len().div_ceil(TILE_ROWS);
    let partials: Vec<Vec<Partial>> = (0..blocks * spans)
        .into_par_iter()
        .map(|task| partials(inputs, task / spans, task % spans))
        .collect();
    let mut both = (Vec::new(), Vec::new());
    for of_block in partials.chunks(spans) {
        for row in 0..of_block[0].len() {
            let whole = of_block.iter().map(|span| span[row]).fold(Partial::EMPTY, Partial::merge);
            let (nll, lse) = whole.finish();
            both.0.push(nll);
            both.1.push(lse);
        }
    }
    both
}

/// The partials of a block of rows for one span of the vocabulary.
fn partials(inputs: Inputs<'_>, block: usize, span: usize) -> Vec<Partial> {
    let from = block * TILE_ROWS;
    let to = (from + TILE_ROWS).min(inputs.targets.len());
    let hidden = inputs.gather(from, to);
    let hidden = Matrix::rows(&hidden, inputs.width);
    let end = ((span + 1) * SPAN).min(inputs.vocab());
    let mut running = vec![Partial::EMPTY; to - from];
    let mut tile = vec![0.0; (to - from) * TILE_VOCAB.min(end - span * SPAN)];
    for start in (span * SPAN..end).step_by(TILE_VOCAB) {
        let stop = (start + TILE_VOCAB).min(end);
        let logits = &mut tile[..(to - from) * (stop - start)];
        multiply(logits, hidden, inputs.weights(start, stop).transpose(), Store::Overwrite);
        let rows = logits.chunks(stop - start).zip(&inputs.targets.pairs()[from..to]);
        for (partial, (row, &[_, token])) in running.iter_mut().zip(rows) {
            let (max, sum) = max_and_sum_exp(row);
            let target = (token as usize).checked_sub(start).and_then(|at| row.get(at)).copied();
            *partial = partial.merge(Partial { max, sum: f64::from(sum), target });
        }
    }
    running
}

/// Gradients of `sum_i upstream[i] * nll[i]`. Every tile of logits is computed once more:
/// `P[i, v] = upstream[i] (exp(logit[i, v] - lse[i]) - [v = target[i]])`, then `d hidden += P weight` and
/// `d weight += P^T hidden`.
///
/// # Shapes
/// `lse` and `upstream` `[targets]`.
pub fn backward(inputs: Inputs<'_>, lse: &[f32], upstream: &[f32], mut gradients: Gradients<'_>) {
    let (targets, width) = (inputs.targets.len(), inputs.width);
    let mut tiles = vec![0.0; BLOCK_ROWS.min(targets) * TILE_VOCAB.min(inputs.vocab())];
    for from in (0..targets).step_by(BLOCK_ROWS) {
        let to = (from + BLOCK_ROWS).min(targets);
        let hidden = inputs.gather(from, to);
        let block =
            Block { inputs, hidden: &hidden, from, lse: &lse[from..to], upstream: &upstream[from..to] };
        // Gradients of consecutive rows are computed in place, those of other rows in a copy.
        let mut scattered = Vec::new();
        let mut rows = match (&mut gradients.hidden, &hidden) {
            (None, _) => None,
            (Some(out), Cow::Borrowed(_)) => {
                let first = inputs.targets.pairs()[from][0] as usize * width;
                Some(&mut out[first..first + hidden.len()])
            }
            (Some(_), Cow::Owned(_)) => {
                scattered = vec![0.0; hidden.len()];
                Some(&mut scattered[..])
            }
        };
        for start in (0..inputs.vocab()).step_by(TILE_VOCAB) {
            let stop = (start + TILE_VOCAB).min(inputs.vocab());
            let tiles = &mut tiles[..(to - from) * (stop - start)];
            block.logit_gradients(start, stop, tiles, rows.as_deref_mut());
            if let Some(out) = &mut gradients.weight {
                block.weight_gradient(tiles, &mut out[start * width..stop * width]);
            }
        }
        if let (Some(out), Cow::Owned(_)) = (&mut gradients.hidden, &hidden) {
            for (&[row, _], values) in inputs.targets.pairs()[from..to].iter().zip(scattered.chunks(width)) {
                out[row as usize * width..][..width].copy_from_slice(values);
            }
        }
    }
}

/// A block of targets in the backward pass.
struct Block<'a> {
    inputs: Inputs<'a>,
    /// Hidden states of the targets, `[targets, width]`.
    hidden: &'a [f32],
    /// Index of the first target.
    from: usize,
    /// Of the block's targets.
    lse: &'a [f32],
    /// Of the block's targets.
    upstream: &'a [f32],
}

impl Block<'_> {
    /// Computes `P` of the tokens `start..stop` into `tiles` and adds `P weight` to `out`, while a tile of `P` is in the
    /// cache. A task has a tile of rows.
    fn logit_gradients(&self, start: usize, stop: usize, tiles: &mut [f32], out: Option<&mut [f32]>) {
        let (width, columns) = (self.inputs.width, stop - start);
        let weight = self.inputs.weights(start, stop);
        let store = store_of(start);
        let task = |index: usize, tile: &mut [f32], out: Option<&mut [f32]>| {
            let first = index * TILE_ROWS;
            let hidden = &self.hidden[first * width..][..tile.len() / columns * width];
            multiply(tile, Matrix::rows(hidden, width), weight.transpose(), Store::Overwrite);
            for (row, logits) in (first..).zip(tile.chunks_mut(columns)) {
                scaled_exp(logits, self.lse[row], self.upstream[row]);
                let [_, token] = self.inputs.targets.pairs()[self.from + row];
                if let Some(own) = (token as usize).checked_sub(start).and_then(|at| logits.get_mut(at)) {
                    *own -= self.upstream[row];
                }
            }
            if let Some(out) = out {
                multiply(out, Matrix::rows(tile, columns), weight, store);
            }
        };
        let tiles = tiles.par_chunks_mut(TILE_ROWS * columns).enumerate();
        match out {
            Some(out) => tiles
                .zip(out.par_chunks_mut(TILE_ROWS * width))
                .for_each(|((index, tile), out)| task(index, tile, Some(out))),
            None => tiles.for_each(|(index, tile)| task(index, tile, None)),
        }
    }

    /// Adds `P^T hidden` to `out`. A task has some of the tokens.
    fn weight_gradient(&self, tiles: &[f32], out: &mut [f32]) {
        let width = self.inputs.width;
        let transposed = Matrix::rows(tiles, out.len() / width).transpose();
        let store = store_of(self.from);
        out.par_chunks_mut(TASK_TOKENS * width).enumerate().for_each(|(index, out)| {
            let tokens = transposed.some_rows(index * TASK_TOKENS, out.len() / width);
            multiply(out, tokens, Matrix::rows(self.hidden, width), store);
        });
    }
}

/// How the product that starts at `first` is stored. The first one overwrites the zeros: reading memory that was never
/// written makes the system map it twice.
fn store_of(first: usize) -> Store {
    if first == 0 { Store::Overwrite } else { Store::Add }
}
