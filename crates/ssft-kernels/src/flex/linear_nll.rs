//! The linear negative log-likelihood on the CPU: a tile of logits at a time.

use super::exponential::{max_and_sum_exp, scaled_exp};
use super::matrix::{Matrix, multiply};
use super::parallel::*;
use crate::targets::Targets;
use std::borrow::Cow;

/// Rows and columns (vocabulary) of a tile: 256 KiB of logits stay in a core's cache.
const TILE_ROWS: usize = 128;
const TILE_VOCAB: usize = 512;
/// Vocabulary of one task. Fixed, so that the sums do not depend on the number of cores.
const SPAN: usize = 8 * TILE_VOCAB;
/// Rows of the backward pass that are in memory at a time: 2 MiB of logit gradients.
const BLOCK_ROWS: usize = 8 * TILE_ROWS;
/// Tokens whose weight gradient is one task.
const TASK_TOKENS: usize = 64;

/// What the operation reads.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `[rows, width]`.
    pub hidden: &'a [f32],
    /// `[vocab, width]`.
    pub weight: &'a [f32],
    /// Columns of both.
    pub width: usize,
    /// Which rows have to predict what.
    pub targets: &'a Targets,
}

/// Which gradients are wanted, and where they go: into zeros.
#[derive(Debug)]
pub struct Gradients<'a> {
    /// `[rows, width]`.
    pub hidden: Option<&'a mut [f32]>,
    /// `[vocab, width]`.
    pub weight: Option<&'a mut [f32]>,
}

/// What one span of the vocabulary says about one row.
#[derive(Debug, Clone, Copy)]
struct Partial {
    max: f32,
    /// Sum of `exp(logit - max)`.
    sum: f64,
    /// The logit of the target, if it lies in the span.
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

    /// Hidden rows of the targets `from..to`, without a copy if they stand side by side.
    fn gather(&self, from: usize, to: usize) -> Cow<'a, [f32]> {
        let pairs = &self.targets.pairs()[from..to];
        let row = |index: u32| index as usize * self.width..(index as usize + 1) * self.width;
        let (first, last) = (pairs[0][0], pairs[pairs.len() - 1][0]);
        if self.targets.are_side_by_side(from, to) {
            return Cow::Borrowed(&self.hidden[row(first).start..row(last).end]);
        }
        Cow::Owned(pairs.iter().flat_map(|&[index, _]| &self.hidden[row(index)]).copied().collect())
    }

    fn vocabulary(&self, from: usize, to: usize) -> Matrix<'a> {
        Matrix::rows(&self.weight[from * self.width..to * self.width], self.width)
    }
}

/// Negative log-likelihood and log-sum-exp of every target.
///
/// Every task takes some rows and a span of the vocabulary, and walks through the span tile by tile with an
/// online log-sum-exp (Milakov and Gimelshein, arXiv 1805.02867).
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
        multiply(logits, hidden, inputs.vocabulary(start, stop).transpose(), false);
        let rows = logits.chunks(stop - start).zip(&inputs.targets.pairs()[from..to]);
        for (partial, (row, &[_, token])) in running.iter_mut().zip(rows) {
            let (max, sum) = max_and_sum_exp(row);
            let target = (token as usize).checked_sub(start).and_then(|at| row.get(at)).copied();
            *partial = partial.merge(Partial { max, sum: f64::from(sum), target });
        }
    }
    running
}

/// Both gradients of `sum_i upstream[i] * nll[i]`, by computing every tile of logits once more:
///
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
        // Rows side by side take their gradients in place; others, in a copy.
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

/// Some targets of the backward pass.
struct Block<'a> {
    inputs: Inputs<'a>,
    /// Their hidden states, gathered.
    hidden: &'a [f32],
    /// Number of the first one.
    from: usize,
    lse: &'a [f32],
    upstream: &'a [f32],
}

impl Block<'_> {
    /// `P` of the tokens `start..stop`, and `out += P weight` (`=` for the first tokens) while a tile of it is hot; a task takes some rows.
    fn logit_gradients(&self, start: usize, stop: usize, tiles: &mut [f32], out: Option<&mut [f32]>) {
        let (width, columns) = (self.inputs.width, stop - start);
        let weight = self.inputs.vocabulary(start, stop);
        let task = |index: usize, tile: &mut [f32], out: Option<&mut [f32]>| {
            let first = index * TILE_ROWS;
            let hidden = &self.hidden[first * width..][..tile.len() / columns * width];
            multiply(tile, Matrix::rows(hidden, width), weight.transpose(), false);
            for (row, logits) in (first..).zip(tile.chunks_mut(columns)) {
                scaled_exp(logits, self.lse[row], self.upstream[row]);
                let [_, token] = self.inputs.targets.pairs()[self.from + row];
                if let Some(own) = (token as usize).checked_sub(start).and_then(|at| logits.get_mut(at)) {
                    *own -= self.upstream[row];
                }
            }
            if let Some(out) = out {
                // Written before it is read: fresh memory that is read first is mapped twice.
                multiply(out, Matrix::rows(tile, columns), weight, start > 0);
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

    /// `out += P^T hidden` (`=` for the first block); a task takes some tokens.
    fn weight_gradient(&self, tiles: &[f32], out: &mut [f32]) {
        let width = self.inputs.width;
        let transposed = Matrix::rows(tiles, out.len() / width).transpose();
        out.par_chunks_mut(TASK_TOKENS * width).enumerate().for_each(|(index, out)| {
            let tokens = transposed.some_rows(index * TASK_TOKENS, out.len() / width);
            multiply(out, tokens, Matrix::rows(self.hidden, width), self.from > 0);
        });
    }
}
