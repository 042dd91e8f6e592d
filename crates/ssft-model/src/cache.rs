//! Key/value cache of a batch of trees: the keys and values of every token so far, each stored once.
//!
//! Each layer has one tensor of keys and one of values with a row per token. A run (see [`crate::packing`]) occupies
//! adjacent rows: its tokens, then free rows for tokens to come. Free rows hold 0. Forks of a question share the rows of
//! its prompt.
//!
//! # Example
//!
//! A prompt of two tokens, `a b`, and two forks, `g1` and `g2`. Every fork gets two more tokens, one per pass:
//!
//! ```text
//! prefill  a b                     rows: a b                                        run 0
//! extend   From(0) g1, From(0) g2  rows: a b | g1 | g2                              runs 1 and 2 start, appended
//! extend   On(1) p, On(2) q        rows: a b | g1 p + 32 free | g2 q + 32 free      runs 1 and 2 grow, rows move
//! extend   On(1) r, On(2) s        rows: a b | g1 p r + 31 free | g2 q s + 31 free  written in place, nothing moves
//! ```
//!
//! When rows move:
//!
//! - A pass that only starts runs ([`Growth::From`]) appends rows.
//! - A pass that lengthens runs ([`Growth::On`]) writes into their free rows. If one of them has too few, or if the same
//!   pass also starts runs, all rows are copied to new places first. A run that grows in this pass gets as many free rows as it
//!   has tokens, the new ones included, but at least 32, so that moves become rare; any other run loses its free rows.
//!
//! Not here: what is computed from the cache ([`crate::attention`]), and which tokens are added (`ssft-decode`).

use crate::packing::PackedTrees;
use crate::row_index::row_index;
use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor};
use ssft_kernels::{Forest, Node};
use std::collections::VecDeque;

/// Fewest free rows behind a run that grows.
pub const LEAST_FREE_ROWS: usize = 32;

/// Bytes of an f32.
const BYTES_PER_NUMBER: usize = 4;

/// Keys and values of one layer, `[rows, kv_heads, head_dim]` each.
#[derive(Debug, Clone)]
pub struct KeyValue {
    /// Keys, rotated to their positions.
    pub key: Tensor<3>,
    /// Values.
    pub value: Tensor<3>,
}

/// Key/value cache of a batch of trees; the module documentation explains the layout.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_model::cache::Growth;
/// use ssft_model::config::Preset;
/// use ssft_model::packing::{PackedTrees, Tree};
/// use ssft_model::{Decoder, DecoderConfig};
///
/// let config = DecoderConfig::preset(Preset::Toy, 100);
/// let model = Decoder::init(&config, 1, &Device::flex());
/// let prompt = Tree { prompt: vec![10, 11], branches: vec![] };
/// let (_, mut cache) = model.prefill(&PackedTrees::new(&[prompt]));
/// // Two forks start from the prompt, run 0, and become the runs 1 and 2.
/// model.extend(&[(Growth::From(0), &[90]), (Growth::From(0), &[91])], &mut cache);
/// assert_eq!(cache.runs(), 3);
/// let hidden = model.extend(&[(Growth::On(1), &[5]), (Growth::On(2), &[6])], &mut cache);
/// assert_eq!(hidden.dims(), [2, config.hidden_size]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct TreeCache {
    /// One entry per layer.
    pub(crate) layers: VecDeque<KeyValue>,
    runs: Vec<CachedRun>,
    /// Number of rows of each layer's tensors.
    rows: usize,
}

/// Where new tokens are added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// To the end of this run. A run that another run continues cannot grow.
    On(usize),
    /// To a new run that continues this one.
    From(usize),
}

/// A run of tokens in the cache.
#[derive(Debug, Clone, Copy)]
struct CachedRun {
    /// Parent and length; `new` is the number of tokens that the latest pass added.
    node: Node,
    /// Position of its first token.
    position: usize,
    /// Row of its first token.
    row: usize,
    /// Number of rows reserved for it: its tokens and the free rows behind them.
    reserved: usize,
}

/// One forward pass as attention needs it: the new tokens, the runs they see, and where the cache stores them.
#[derive(Debug)]
pub(crate) struct Pass {
    pub forest: Forest,
    /// `[new tokens]`.
    pub positions: Vec<u32>,
    /// How cached rows move before the new ones are written.
    moves: Option<Move>,
    /// Free rows for the new tokens; `None` if they are appended.
    place: Option<Tensor<1, Int>>,
}

/// A copy of all cached rows to new places.
#[derive(Debug)]
struct Move {
    from: Tensor<1, Int>,
    to: Tensor<1, Int>,
    /// Number of rows after the move.
    rows: usize,
}

/// How a forward pass uses a cache.
#[derive(Debug)]
pub(crate) enum CacheAccess<'a> {
    /// Keys and values are not kept.
    Unused,
    /// Layers are visited in order; each appends its keys and values as a new entry.
    Fill(&'a mut VecDeque<KeyValue>),
    /// Layers are visited in order; each takes its entry from the front, adds its new keys and values, and appends the
    /// entry at the back.
    Extend(&'a mut VecDeque<KeyValue>),
}

impl Pass {
    /// A pass over whole trees, with nothing cached.
    pub fn over(packed: &PackedTrees) -> Self {
        let (forest, positions) = (Forest::new(&packed.runs), packed.positions.clone());
        Self { forest, positions, moves: None, place: None }
    }
}

impl TreeCache {
    /// The runs of `packed`, without keys and values; the pass over `packed` fills them in.
    pub(crate) fn of(packed: &PackedTrees) -> Self {
        let mut cache = Self::default();
        for run in &packed.runs {
            cache.start(run.parent, run.length);
        }
        cache
    }

    /// Number of runs. The next run that starts gets this number.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Size of all keys and values in bytes, free rows included, in f32.
    pub fn bytes(&self) -> usize {
        let numbers = |kv: &KeyValue| kv.key.shape().num_elements() + kv.value.shape().num_elements();
        self.layers.iter().map(numbers).sum::<usize>() * BYTES_PER_NUMBER
    }

    /// Adds new tokens, `counts[i]` of them at `growth[i]`, and returns the pass that computes them.
    ///
    /// # Panics
    /// If `growth` is empty or not in the order of the runs.
    pub(crate) fn grow(&mut self, growth: &[(Growth, usize)], device: &Device) -> Pass {
        let lengthens = growth.iter().any(|(growth, _)| matches!(growth, Growth::On(_)));
        let moves = lengthens.then(|| self.make_room(growth)).flatten();
        self.runs.iter_mut().for_each(|run| run.node.new = 0);
        let (mut positions, mut rows, mut last) = (Vec::new(), Vec::new(), None);
        for &(growth, count) in growth {
            let run = self.add(growth, count);
            assert!(last < Some(run), "growth has to go from run to run in order");
            last = Some(run);
            let CachedRun { node, position, row, .. } = self.runs[run];
            let new = node.length - count..node.length;
            positions.extend(new.clone().map(|offset| (position + offset) as u32));
            rows.extend(new.map(|offset| (row + offset) as u32));
        }
        let nodes: Vec<Node> = self.runs.iter().map(|run| run.node).collect();
        Pass {
            forest: Forest::placed(&nodes, self.runs.iter().map(|run| run.row)),
            positions,
            moves: moves.map(|(from, to)| Move {
                from: row_index(&from, device),
                to: row_index(&to, device),
                rows: self.rows,
            }),
            place: lengthens.then(|| row_index(&rows, device)),
        }
    }

    /// Adds `count` tokens and returns the number of their run.
    fn add(&mut self, growth: Growth, count: usize) -> usize {
        match growth {
            Growth::On(run) => {
                let node = &mut self.runs[run].node;
                node.length += count;
                node.new = count;
                run
            }
            Growth::From(parent) => {
                self.start(Some(parent), count);
                self.runs.len() - 1
            }
        }
    }

    /// Appends a run, with rows behind all others.
    fn start(&mut self, parent: Option<usize>, length: usize) {
        let position = parent.map_or(0, |parent| self.runs[parent].position + self.runs[parent].node.length);
        let node = Node { parent, length, new: length };
        self.runs.push(CachedRun { node, position, row: self.rows, reserved: length });
        self.rows += length;
    }

    /// Moves all runs apart if a run that grows has too few free rows, or if new runs start in the same pass. Returns the
    /// old and the new row of every cached token.
    fn make_room(&mut self, growth: &[(Growth, usize)]) -> Option<(Vec<u32>, Vec<u32>)> {
        let mut needed: Vec<Option<usize>> = vec![None; self.runs.len()];
        let mut starts = false;
        for &(growth, count) in growth {
            match growth {
                Growth::On(run) => needed[run] = Some(self.runs[run].node.length + count),
                Growth::From(_) => starts = true,
            }
        }
        let lacks =
            |(run, needed): (&CachedRun, &Option<usize>)| needed.is_some_and(|needed| needed > run.reserved);
        if !starts && !self.runs.iter().zip(&needed).any(lacks) {
            return None;
        }
        let (mut from, mut to) = (Vec::new(), Vec::new());
        self.rows = 0;
        for (run, needed) in self.runs.iter_mut().zip(needed) {
            let length = run.node.length;
            from.extend((run.row..run.row + length).map(|row| row as u32));
            to.extend((self.rows..self.rows + length).map(|row| row as u32));
            (run.row, run.reserved) = (self.rows, needed.map_or(length, with_free_rows));
            self.rows += run.reserved;
        }
        Some((from, to))
    }
}

/// Rows to reserve for a run that grows to `length` tokens.
fn with_free_rows(length: usize) -> usize {
    length + length.max(LEAST_FREE_ROWS)
}

impl CacheAccess<'_> {
    /// The same access for the next layer.
    pub(crate) fn reborrow(&mut self) -> CacheAccess<'_> {
        match self {
            Self::Unused => CacheAccess::Unused,
            Self::Fill(layers) => CacheAccess::Fill(layers),
            Self::Extend(layers) => CacheAccess::Extend(layers),
        }
    }

    /// Stores the keys and values of a layer's new tokens; returns those of all tokens that the pass sees.
    pub(crate) fn with(self, new: KeyValue, pass: &Pass) -> KeyValue {
        match self {
            Self::Unused => new,
            Self::Fill(layers) => {
                layers.push_back(new.clone());
                new
            }
            Self::Extend(layers) => {
                // Taken out of the cache, so that the tensors have one owner and are written in place.
                let past = layers.pop_front().unwrap_or_else(|| panic!("a cache of fewer layers"));
                let all = past.with(new, pass);
                layers.push_back(all.clone());
                all
            }
        }
    }
}

impl KeyValue {
    /// Keys and values of the cache and of the pass's new tokens. Appended rows and moved rows are copies; new rows in free
    /// rows are written in place if `self` is the only owner.
    fn with(self, new: Self, pass: &Pass) -> Self {
        let with = |past: Tensor<3>, new: Tensor<3>| {
            let past = match &pass.moves {
                Some(moves) => moves.apply(past),
                None => past,
            };
            match &pass.place {
                None => Tensor::cat(vec![past, new], 0),
                // Free rows hold 0, so adding the new rows stores them; all backends add in place.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packing::Tree;

    /// The example of the module documentation.
    #[test]
    fn rows_lie_as_worked_by_hand() {
        let device = Device::flex();
        let prompt = Tree { prompt: vec![1, 2], branches: vec![] };
        let mut cache = TreeCache::of(&PackedTrees::new(&[prompt]));
        let places = |cache: &TreeCache| -> Vec<[usize; 3]> {
            cache.runs.iter().map(|run| [run.row, run.node.length, run.reserved]).collect()
        };
        let pass = cache.grow(&[(Growth::From(0), 1), (Growth::From(0), 1)], &device);
        assert_eq!(places(&cache), [[0, 2, 2], [2, 1, 1], [3, 1, 1]]);
        assert!(pass.moves.is_none() && pass.place.is_none());
        let pass = cache.grow(&[(Growth::On(1), 1), (Growth::On(2), 1)], &device);
        assert_eq!(places(&cache), [[0, 2, 2], [2, 2, 34], [36, 2, 34]]);
        assert_eq!((pass.positions, cache.rows), (vec![3, 3], 70));
        assert!(pass.moves.is_some() && pass.place.is_some());
        let pass = cache.grow(&[(Growth::On(1), 1), (Growth::On(2), 1)], &device);
        assert_eq!(places(&cache), [[0, 2, 2], [2, 3, 34], [36, 3, 34]]);
        assert!(pass.moves.is_none() && pass.place.is_some());
        let new: Vec<usize> = pass.forest.runs().iter().map(|run| run.new).collect();
        assert_eq!(new, [0, 1, 1]);
    }
}
