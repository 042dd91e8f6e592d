//! Attention over trees on the CPU. The scores of a few queries are in the cache of a core at a time.

use super::exponential::{scaled_exp, to_exp};
use super::matrix::{Matrix, Store, multiply};
use super::parallel::*;
use super::single_query::{Heads, attend};
use super::wide::{sum_over, wide};
use crate::forest::{Forest, Run};
use std::ops::Range;

/// Queries of a tile, whose scores are in memory at a time.
const TILE: usize = 24;
/// Most queries of a task, which gathers the keys once for all of them.
const TASK_QUERIES: usize = 4 * TILE;

/// Inputs of both passes.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// `[queries, heads, head_dim]`.
    pub query: &'a [f32],
    /// `[keys, kv_heads, head_dim]`.
    pub key: &'a [f32],
    /// `[keys, kv_heads, head_dim]`.
    pub value: &'a [f32],
    /// Number of query heads.
    pub heads: usize,
    /// Number of key heads.
    pub kv_heads: usize,
    /// Numbers of a head.
    pub head_dim: usize,
    /// Which keys each query sees.
    pub forest: &'a Forest,
}

/// Some queries of one run, and one key head, with copies of all keys and values that any of the queries sees.
struct Piece<'a> {
    inputs: Inputs<'a>,
    /// Rows of the queries.
    queries: Range<usize>,
    /// Number of keys that all queries see. The first query sees one more, the second two more, and so on.
    common: usize,
    /// `[keys, head_dim]`.
    key: Vec<f32>,
    /// `[keys, head_dim]`.
    value: Vec<f32>,
}

/// Memory for the intermediate results of a tile, reused for the next one.
#[derive(Default)]
struct Scratch {
    /// `[rows, head_dim]`: queries, divided by the square root of `head_dim`.
    query: Vec<f32>,
    /// `[rows, keys]`: scores, then weights, which are 0 where a query does not see a key.
    weights: Vec<f32>,
    /// `[rows, keys]`: gradients of the scores.
    slopes: Vec<f32>,
    /// `[rows, head_dim]`: attended values, or gradients of the queries.
    mixed: Vec<f32>,
    /// `[rows, head_dim]`: upstream gradients.
    upstream: Vec<f32>,
}

/// The first `size` numbers of a buffer, with unspecified values.
fn room(buffer: &mut Vec<f32>, size: usize) -> &mut [f32] {
    if buffer.len() < size {
        buffer.resize(size, 0.0);
    }
    &mut buffer[..size]
}

impl<'a> Inputs<'a> {
    /// Query heads that share a key head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Factor of the scores.
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }

    /// Rows of the keys of all runs that `run` continues, and of the first `own` tokens of `run`.
    fn spans(&self, run: usize, own: usize) -> Vec<Range<usize>> {
        let start = self.forest.runs()[run].key_start;
        let mut spans = self.forest.ancestors(run);
        spans.push(start..start + own);
        spans
    }

    /// Attended values of the only query of a run. Its keys are read only once, so they are not copied.
    fn attend_alone(&self, scratch: &mut Scratch, run: usize, output: &mut [f32], lse: &mut [f32]) {
        let Run { query_start, length, .. } = self.forest.runs()[run];
        let (spans, row) = (self.spans(run, length), self.heads * self.head_dim);
        let query = &self.query[query_start * row..][..row];
        scratch.query.clear();
        scratch.query.extend(query.iter().map(|value| value * self.scale()));
        let heads = Heads { group: self.group(), kv_heads: self.kv_heads, head_dim: self.head_dim };
        attend(heads, &scratch.query, [self.key, self.value], &spans, &mut scratch.weights, output, lse);
    }

    /// The piece of the given queries of `run`.
    fn piece(&self, run: usize, queries: Range<usize>, kv_head: usize) -> Piece<'a> {
        let Run { query_start, .. } = self.forest.runs()[run];
        let known = self.forest.runs()[run].known();
        let spans = self.spans(run, known + queries.end - query_start);
        let gather = |from: &[f32]| {
            let rows = spans.iter().cloned().flatten();
            let row = |row: usize| &from[(row * self.kv_heads + kv_head) * self.head_dim..][..self.head_dim];
            let mut gathered =
                Vec::with_capacity(spans.iter().map(Range::len).sum::<usize>() * self.head_dim);
            rows.for_each(|index| gathered.extend_from_slice(row(index)));
            gathered
        };
        let (key, value) = (gather(self.key), gather(self.value));
        let common = key.len() / self.head_dim - queries.len();
        Piece { inputs: *self, queries, common, key, value }
    }
}

impl Piece<'_> {
    /// Rows of the queries of each tile.
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let Range { start, end } = self.queries;
        (start..end).step_by(TILE).map(move |from| from..(from + TILE).min(end))
    }

    /// Number of keys that the query in row `query` sees: the first ones of the piece.
    fn sees(&self, query: usize) -> usize {
        self.common + query - self.queries.start + 1
    }

    /// Copies one head of the rows `tile`, times `scale`, to `into [rows, head_dim]`. `from` has the shape of the queries.
    fn rows(&self, into: &mut Vec<f32>, from: &[f32], tile: &Range<usize>, head: usize, scale: f32) {
        let Inputs { heads, head_dim, .. } = self.inputs;
        into.clear();
        for query in tile.clone() {
            let row = &from[(query * heads + head) * head_dim..][..head_dim];
            into.extend(row.iter().map(|value| value * scale));
        }
    }

    fn keys(&self, count: usize) -> Matrix<'_> {
        Matrix::rows(&self.key[..count * self.inputs.head_dim], self.inputs.head_dim)
    }

    fn values(&self, count: usize) -> Matrix<'_> {
        Matrix::rows(&self.value[..count * self.inputs.head_dim], self.inputs.head_dim)
    }

    /// Computes the queries and scores of a tile; returns the number of keys.
    fn scores(&self, scratch: &mut Scratch, tile: &Range<usize>, head: usize) -> usize {
        let keys = self.sees(tile.end - 1);
        self.rows(&mut scratch.query, self.inputs.query, tile, head, self.inputs.scale());
        let weights = room(&mut scratch.weights, tile.len() * keys);
        let query = Matrix::rows(&scratch.query, self.inputs.head_dim);
        multiply(weights, query, self.keys(keys).transpose(), Store::Overwrite);
        keys
    }

    /// Stores attended values and log-sum-exps of a tile in `output [rows, heads, head_dim]` and `lse [rows, heads]`.
    fn attend(
        &self,
        scratch: &mut Scratch,
        tile: &Range<usize>,
        head: usize,
        output: &mut [f32],
        lse: &mut [f32],
    ) {
        let Inputs { heads, head_dim, .. } = self.inputs;
        let keys = self.scores(scratch, tile, head);
        let weights = &mut scratch.weights[..tile.len() * keys];
        let mut sums = [0.0; TILE];
        for ((row, query), total) in weights.chunks_exact_mut(keys).zip(tile.clone()).zip(&mut sums) {
            let (seen, unseen) = row.split_at_mut(self.sees(query));
            let (max, sum) = to_exp(seen);
            unseen.fill(0.0);
            lse[(query - tile.start) * heads + head] = max + sum.ln();
            *total = sum;
        }
        let mixed = room(&mut scratch.mixed, tile.len() * head_dim);
        multiply(mixed, Matrix::rows(weights, keys), self.values(keys), Store::Overwrite);
        for (row, (mixed, sum)) in mixed.chunks_exact(head_dim).zip(sums).enumerate() {
            let output = &mut output[(row * heads + head) * head_dim..][..head_dim];
            output.iter_mut().zip(mixed).for_each(|(out, value)| *out = value / sum);
        }
    }
}

/// Attended values `[queries, heads, head_dim]`, and the log-sum-exp of the scores `[queries, heads]`.
pub fn forward(inputs: Inputs<'_>) -> (Vec<f32>, Vec<f32>) {
    let Inputs { heads, kv_heads, head_dim, forest, .. } = inputs;
    let (queries, row) = (forest.queries(), heads * head_dim);
    let (mut output, mut lse) = (vec![0.0; queries * row], vec![0.0; queries * heads]);
    let tasks = tasks(forest);
    let outputs = split(&mut output, tasks.iter().map(|(_, queries)| queries.len() * row));
    let lses = split(&mut lse, tasks.iter().map(|(_, queries)| queries.len() * heads));
    let work: Vec<_> = tasks.iter().zip(outputs.into_iter().zip(lses)).collect();
    work.into_par_iter().for_each_init(Scratch::default, |scratch, ((run, queries), (output, lse))| {
        if forest.runs()[*run].new == 1 {
            return inputs.attend_alone(scratch, *run, output, lse);
        }
        for kv_head in 0..kv_heads {
            let piece = inputs.piece(*run, queries.clone(), kv_head);
            for tile in piece.tiles() {
                let at = tile.start - queries.start..tile.end - queries.start;
                let output = &mut output[at.start * row..at.end * row];
                let lse = &mut lse[at.start * heads..at.end * heads];
                for head in kv_head * inputs.group()..(kv_head + 1) * inputs.group() {
                    piece.attend(scratch, &tile, head, output, lse);
                }
            }
        }
    });
    (output, lse)
}

/// Run and rows of queries of each task, in the order of the queries.
fn tasks(forest: &Forest) -> Vec<(usize, Range<usize>)> {
    let of_run = |(index, run): (usize, &Run)| {
        let end = run.query_start + run.new;
        (run.query_start..end)
            .step_by(TASK_QUERIES)
            .map(move |from| (index, from..(from + TASK_QUERIES).min(end)))
    };
    forest.runs().iter().enumerate().flat_map(of_run).collect()
}

/// Consecutive parts of a slice, with the given lengths.
fn split(mut rest: &mut [f32], lengths: impl Iterator<Item = usize>) -> Vec<&mut [f32]> {
    let cut = |length| {
        let (piece, others) = std::mem::take(&mut rest).split_at_mut(length);
        rest = others;
        piece
    };
    lengths.map(cut).collect()
}

/// Further inputs of the backward pass.
#[derive(Debug, Clone, Copy)]
pub struct Saved<'a> {
    /// `[queries, heads, head_dim]`.
    pub output: &'a [f32],
    /// `[queries, heads]`.
    pub lse: &'a [f32],
    /// `[queries, heads, head_dim]`.
    pub upstream: &'a [f32],
}

/// Gradients of one tree for one key head.
struct Part {
    tree: Range<usize>,
    kv_head: usize,
    /// `[queries, group, head_dim]`.
    query: Vec<f32>,
    /// `[keys, head_dim]`.
    key: Vec<f32>,
    /// `[keys, head_dim]`.
    value: Vec<f32>,
}

/// Gradients of query, key and value. With the weights `P`, the upstream gradient `d` and the output `o`:
///
/// `dV = P^T d`, `dS = P (d V^T - d . o)`, `dQ = dS K / sqrt(head_dim)`, `dK = dS^T Q / sqrt(head_dim)`.
///
/// A task has one tree and one key head, so that the gradients of a shared prompt are summed by one thread in a fixed
/// order.
pub fn backward(inputs: Inputs<'_>, saved: Saved<'_>) -> [Vec<f32>; 3] {
    let Inputs { heads, kv_heads, head_dim, forest, .. } = inputs;
    let trees =
        forest.trees().unwrap_or_else(|| panic!("tree_attention: a gradient takes keys tree by tree"));
    let tasks: Vec<_> =
        trees.iter().flat_map(|tree| (0..kv_heads).map(move |head| (tree.clone(), head))).collect();
    let parts: Vec<Part> =
        tasks.into_par_iter().map(|(tree, kv_head)| inputs.part(tree, kv_head, saved)).collect();
    let mut query = vec![0.0; forest.queries() * heads * head_dim];
    let (mut key, mut value) = (vec![0.0; forest.keys() * kv_heads * head_dim], Vec::new());
    value.resize(key.len(), 0.0);
    for part in &parts {
        let (queries, keys) = inputs.rows_of(&part.tree);
        let group = inputs.group() * head_dim;
        put(&mut query[queries.start * heads * head_dim..], &part.query, group, part.kv_head, kv_heads);
        put(&mut key[keys.start * kv_heads * head_dim..], &part.key, head_dim, part.kv_head, kv_heads);
        put(&mut value[keys.start * kv_heads * head_dim..], &part.value, head_dim, part.kv_head, kv_heads);
    }
    [query, key, value]
}

/// Copies rows of `size` numbers to column `column` of a matrix with `columns` such columns.
fn put(into: &mut [f32], from: &[f32], size: usize, column: usize, columns: usize) {
    for (row, from) in from.chunks_exact(size).enumerate() {
        into[(row * columns + column) * size..][..size].copy_from_slice(from);
    }
}

impl Inputs<'_> {
    /// Rows of the queries and of the keys of a tree.
    fn rows_of(&self, tree: &Range<usize>) -> (Range<usize>, Range<usize>) {
        let (first, last) = (self.forest.runs()[tree.start], self.forest.runs()[tree.end - 1]);
        (first.query_start..last.query_start + last.new, first.key_start..last.key_start + last.length)
    }

    /// Gradients of `tree` for `kv_head`.
    fn part(&self, tree: Range<usize>, kv_head: usize, saved: Saved<'_>) -> Part {
        let (queries, keys) = self.rows_of(&tree);
        let zeros = |rows: usize| vec![0.0; rows * self.head_dim];
        let mut scratch = Scratch::default();
        let mut part = Part {
            query: zeros(queries.len() * self.group()),
            key: zeros(keys.len()),
            value: zeros(keys.len()),
            kv_head,
            tree: tree.clone(),
        };
        for index in tree {
            let run = self.forest.runs()[index];
            let own = run.query_start..run.query_start + run.new;
            if own.is_empty() {
                continue;
            }
            let piece = self.piece(index, own.clone(), kv_head);
            let (mut key, mut value) = (vec![0.0; piece.key.len()], vec![0.0; piece.key.len()]);
            for tile in piece.tiles() {
                for of_group in 0..self.group() {
                    let head = kv_head * self.group() + of_group;
                    let gradient = piece.backward(&mut scratch, &tile, head, saved, [&mut key, &mut value]);
                    let to = &mut part.query[(tile.start - queries.start) * self.group() * self.head_dim..];
                    put(to, gradient, self.head_dim, of_group, self.group());
                }
            }
            let mut at = 0;
            for span in self.spans(index, run.length) {
                let [from, to] = [at, at + span.len()].map(|row| row * self.head_dim);
                let into = (span.start - keys.start) * self.head_dim..(span.end - keys.start) * self.head_dim;
                add(&mut part.key[into.clone()], &key[from..to]);
                add(&mut part.value[into], &value[from..to]);
                at += span.len();
            }
        }
        part
    }
}

impl Piece<'_> {
    /// Gradient of the queries of a tile, `[rows, head_dim]`. Gradients of keys and values are added to `key` and `value`.
    fn backward<'s>(
        &self,
        scratch: &'s mut Scratch,
        tile: &Range<usize>,
        head: usize,
        saved: Saved<'_>,
        [key, value]: [&mut [f32]; 2],
    ) -> &'s [f32] {
        let Inputs { heads, head_dim, .. } = self.inputs;
        let keys = self.scores(scratch, tile, head);
        self.rows(&mut scratch.upstream, saved.upstream, tile, head, 1.0);
        let Scratch { query, weights, slopes, mixed, upstream } = scratch;
        let weights = &mut weights[..tile.len() * keys];
        for (row, query) in weights.chunks_exact_mut(keys).zip(tile.clone()) {
            let (seen, unseen) = row.split_at_mut(self.sees(query));
            scaled_exp(seen, saved.lse[query * heads + head], 1.0);
            unseen.fill(0.0);
        }
        let (seen, upstream_rows) = (keys * head_dim, Matrix::rows(upstream, head_dim));
        multiply(&mut value[..seen], Matrix::rows(weights, keys).transpose(), upstream_rows, Store::Add);
        let slopes = room(slopes, weights.len());
        multiply(slopes, upstream_rows, self.values(keys).transpose(), Store::Overwrite);
        let rows = slopes.chunks_exact_mut(keys).zip(weights.chunks_exact(keys));
        for ((slopes, weights), (query, d)) in rows.zip(tile.clone().zip(upstream.chunks_exact(head_dim))) {
            let output = &saved.output[(query * heads + head) * head_dim..][..head_dim];
            weigh(slopes, weights, sum_over(d, output, |a, b| a * b));
        }
        let slopes = Matrix::rows(slopes, keys);
        multiply(&mut key[..seen], slopes.transpose(), Matrix::rows(query, head_dim), Store::Add);
        let gradient = room(mixed, query.len());
        multiply(gradient, slopes, self.keys(keys), Store::Overwrite);
        gradient.iter_mut().for_each(|value| *value *= self.inputs.scale());
        gradient
    }
}

wide! {
    /// Gradients of scores: `slope = weight (slope - shift)`.
    fn weigh(slopes: &mut [f32], weights: &[f32], shift: f32) {
        for (slope, &weight) in slopes.iter_mut().zip(weights) {
            *slope = weight * (*slope - shift);
        }
    }
}

wide! {
    fn add(into: &mut [f32], from: &[f32]) {
        for (into, &from) in into.iter_mut().zip(from) {
            *into += from;
        }
    }
}
