//! What a forward pass leaves for the next: keys and values of the tokens so far, each of them once.

use crate::packing::PackedTrees;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};
use ssft_kernels::{Forest, Node};
use std::collections::VecDeque;

/// Keys and values of one layer, `[tokens, kv_heads, head_dim]` each, in the order of the runs.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Turned keys.
    pub key: Tensor<3>,
    /// Values.
    pub value: Tensor<3>,
}

/// A run of tokens that is in the cache.
#[derive(Debug, Clone, Copy)]
struct CachedRun {
    parent: Option<usize>,
    length: usize,
    /// Position of its first token.
    start: usize,
    /// Row of its first key.
    row: usize,
    /// Rows that are its own: its tokens, then room for more.
    room: usize,
}

/// The past of a batch of trees: prompts, and the branches that grow from them.
///
/// A run that goes on is given room for as many tokens again, so that in most passes new keys and values are written in
/// place and nothing moves.
#[derive(Debug, Clone, Default)]
pub struct TreeCache {
    /// One entry a layer.
    pub(crate) layers: VecDeque<KeyValue>,
    runs: Vec<CachedRun>,
    /// Rows of each layer's tensors.
    rows: usize,
}

/// Where new tokens go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// On at the end of a run that no other run continues.
    On(usize),
    /// Into a new run that continues this one.
    From(usize),
}

/// One forward pass seen from attention: who is asked, who is seen, and what becomes of the cache.
#[derive(Debug)]
pub(crate) struct Pass {
    pub forest: Forest,
    /// `[new tokens]`.
    pub positions: Vec<i32>,
    moves: Option<Move>,
    /// Rows for the new tokens, which are there and hold 0; `None`: behind all others.
    place: Option<Tensor<1, Int>>,
}

/// Cached rows get other places, with room between them.
#[derive(Debug)]
struct Move {
    from: Tensor<1, Int>,
    to: Tensor<1, Int>,
    /// Rows there are then.
    rows: usize,
}

impl Pass {
    /// Whole trees, nothing cached.
    pub fn over(packed: &PackedTrees) -> Self {
        let node =
            |run: &crate::packing::Run| Node { parent: run.parent, length: run.length, new: run.length };
        let nodes: Vec<Node> = packed.runs.iter().map(node).collect();
        let (forest, positions) = (Forest::new(&nodes), packed.positions.clone());
        Self { forest, positions, moves: None, place: None }
    }
}

/// Rows of a run that goes on: its tokens, and room for as many again, so that moves become rare as it grows.
fn room(length: usize) -> usize {
    length + length.max(32)
}

impl TreeCache {
    /// The runs of `packed`, whose keys and values the pass over them will bring.
    pub(crate) fn of(packed: &PackedTrees) -> Self {
        let mut cache = Self::default();
        for run in &packed.runs {
            cache.start(run.parent, run.length);
        }
        cache
    }

    /// Number of runs; the next one that starts gets this number.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// A new run, behind all others.
    fn start(&mut self, parent: Option<usize>, length: usize) {
        let start = parent.map_or(0, |parent| self.runs[parent].start + self.runs[parent].length);
        self.runs.push(CachedRun { parent, length, start, row: self.rows, room: length });
        self.rows += length;
    }

    /// Takes up new tokens: `counts[i]` of them at `growth[i]`.
    pub(crate) fn grow(&mut self, growth: &[(Growth, usize)], device: &Device) -> Pass {
        let known: Vec<usize> = self.runs.iter().map(|run| run.length).collect();
        let goes_on = growth.iter().any(|(growth, _)| matches!(growth, Growth::On(_)));
        let (mut positions, mut rows, mut last) = (Vec::new(), Vec::new(), None);
        let moves = goes_on.then(|| self.make_room(growth)).flatten();
        for &(growth, count) in growth {
            let run = match growth {
                Growth::On(run) => {
                    self.runs[run].length += count;
                    run
                }
                Growth::From(parent) => {
                    self.start(Some(parent), count);
                    self.runs.len() - 1
                }
            };
            assert!(last < Some(run), "growth has to go from run to run in order");
            last = Some(run);
            let CachedRun { start, length, row, .. } = self.runs[run];
            positions.extend((start + length - count..start + length).map(|position| position as i32));
            rows.extend((row + length - count..row + length).map(|row| row as i32));
        }
        let new = |run: usize, length: usize| length - known.get(run).copied().unwrap_or(0);
        let node = |(index, run): (usize, &CachedRun)| Node {
            parent: run.parent,
            length: run.length,
            new: new(index, run.length),
        };
        let nodes: Vec<Node> = self.runs.iter().enumerate().map(node).collect();
        let index = |rows: Vec<i32>| {
            let count = rows.len();
            Tensor::from_data(TensorData::new(rows, [count]), device)
        };
        Pass {
            forest: Forest::placed(&nodes, self.runs.iter().map(|run| run.row)),
            positions,
            moves: moves.map(|(from, to)| Move { from: index(from), to: index(to), rows: self.rows }),
            place: goes_on.then(|| index(rows)),
        }
    }

    /// Moves all runs apart if those that go on have no room left, or if new ones start beside them: from which rows to
    /// which.
    fn make_room(&mut self, growth: &[(Growth, usize)]) -> Option<(Vec<i32>, Vec<i32>)> {
        let mut needed: Vec<Option<usize>> = vec![None; self.runs.len()];
        let mut starts = false;
        for &(growth, count) in growth {
            match growth {
                Growth::On(run) => needed[run] = Some(self.runs[run].length + count),
                Growth::From(_) => starts = true,
            }
        }
        let lacks =
            |(run, needed): (&CachedRun, &Option<usize>)| needed.is_some_and(|needed| needed > run.room);
        if !starts && !self.runs.iter().zip(&needed).any(lacks) {
            return None;
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        self.rows = 0;
        for (run, needed) in self.runs.iter_mut().zip(needed) {
            from.extend((run.row..run.row + run.length).map(|row| row as i32));
            to.extend((self.rows..self.rows + run.length).map(|row| row as i32));
            // A run that does not go on gives its room back.
            (run.row, run.room) = (self.rows, needed.map_or(run.length, room));
            self.rows += run.room;
        }
        Some((from, to))
    }

    /// Bytes held, in f32.
    pub fn bytes(&self) -> usize {
        let size = |kv: &KeyValue| 4 * (kv.key.shape().num_elements() + kv.value.shape().num_elements());
        self.layers.iter().map(size).sum()
    }
}

impl KeyValue {
    /// With the keys and values of the pass's new tokens. They are written in place where nobody else holds `self`.
    pub(crate) fn with(self, new: Self, pass: &Pass) -> Self {
        let with = |past: Tensor<3>, new: Tensor<3>| {
            let past = match &pass.moves {
                Some(moves) => moves.apply(past),
                None => past,
            };
            match &pass.place {
                None => Tensor::cat(vec![past, new], 0),
                // Rows that hold 0: to add is to write, and it is what all backends do in place.
                Some(rows) => past.select_assign(0, rows.clone(), new, IndexingUpdateOp::Add),
            }
        };
        Self { key: with(self.key, new.key), value: with(self.value, new.value) }
    }
}

impl Move {
    fn apply(&self, rows: Tensor<3>) -> Tensor<3> {
        let [_, heads, head_dim] = rows.dims();
        let apart = Tensor::zeros([self.rows, heads, head_dim], &rows.device());
        apart.select_assign(0, self.to.clone(), rows.select(0, self.from.clone()), IndexingUpdateOp::Add)
    }
}
