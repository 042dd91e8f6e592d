//! What a forward pass leaves for the next: keys and values of the tokens so far, each of them once.

use burn::tensor::{Device, Int, Tensor, TensorData};
use ssft_data::pack::PackedTrees;
use ssft_kernels::{Forest, Node};

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
}

/// The past of a batch of trees: prompts, and the branches that grow from them.
#[derive(Debug, Clone, Default)]
pub struct TreeCache {
    /// One entry a layer.
    pub(crate) layers: Vec<KeyValue>,
    runs: Vec<CachedRun>,
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
    /// Order that puts cached rows followed by new ones in the order of the runs; `None` where it is that already.
    pub order: Option<Tensor<1, Int>>,
}

impl Pass {
    /// Whole trees, nothing cached.
    pub fn over(packed: &PackedTrees) -> Self {
        let node =
            |run: &ssft_data::pack::Run| Node { parent: run.parent, length: run.length, new: run.length };
        let nodes: Vec<Node> = packed.runs.iter().map(node).collect();
        Self { forest: Forest::new(&nodes), positions: packed.positions.clone(), order: None }
    }
}

impl TreeCache {
    /// The runs of `packed`, whose keys and values the pass over them will bring.
    pub(crate) fn of(packed: &PackedTrees) -> Self {
        let mut runs: Vec<CachedRun> = Vec::with_capacity(packed.runs.len());
        for run in &packed.runs {
            let start = run.parent.map_or(0, |parent| runs[parent].start + runs[parent].length);
            runs.push(CachedRun { parent: run.parent, length: run.length, start });
        }
        Self { layers: Vec::new(), runs }
    }

    /// Number of runs; the next one that starts gets this number.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// Takes up new tokens: `counts[i]` of them at `growth[i]`.
    pub(crate) fn grow(&mut self, growth: &[(Growth, usize)], device: &Device) -> Pass {
        let before: Vec<usize> = self.runs.iter().map(|run| run.length).collect();
        let mut positions = Vec::new();
        let mut last = None;
        for &(growth, count) in growth {
            let run = match growth {
                Growth::On(run) => run,
                Growth::From(parent) => {
                    let CachedRun { start, length, .. } = self.runs[parent];
                    self.runs.push(CachedRun { parent: Some(parent), length: 0, start: start + length });
                    self.runs.len() - 1
                }
            };
            assert!(last < Some(run), "growth has to go from run to run in order");
            last = Some(run);
            let from = self.runs[run].start + self.runs[run].length;
            positions.extend((from..from + count).map(|position| position as i32));
            self.runs[run].length += count;
        }
        let new = |run: usize| self.runs[run].length - before.get(run).copied().unwrap_or(0);
        let node = |(index, run): (usize, &CachedRun)| Node {
            parent: run.parent,
            length: run.length,
            new: new(index),
        };
        let nodes: Vec<Node> = self.runs.iter().enumerate().map(node).collect();
        Pass { forest: Forest::new(&nodes), positions, order: order(&nodes, device) }
    }

    /// Bytes held, in f32.
    pub fn bytes(&self) -> usize {
        let size = |kv: &KeyValue| 4 * (kv.key.shape().num_elements() + kv.value.shape().num_elements());
        self.layers.iter().map(size).sum()
    }
}

/// See [`Pass::order`].
fn order(nodes: &[Node], device: &Device) -> Option<Tensor<1, Int>> {
    let cached: usize = nodes.iter().map(|node| node.length - node.new).sum();
    let (mut old, mut new) = (0, cached);
    let mut order: Vec<i32> = Vec::new();
    for node in nodes {
        let known = node.length - node.new;
        order.extend((old..old + known).chain(new..new + node.new).map(|row| row as i32));
        old += known;
        new += node.new;
    }
    let moved = order.iter().enumerate().any(|(at, &row)| at != row as usize);
    moved.then(|| {
        let count = order.len();
        Tensor::from_data(TensorData::new(order, [count]), device)
    })
}

impl KeyValue {
    /// `self` followed by `next`, in the given order.
    pub(crate) fn followed_by(&self, next: Self, order: Option<&Tensor<1, Int>>) -> Self {
        let join = |past: &Tensor<3>, next: Tensor<3>| {
            let both = Tensor::cat(vec![past.clone(), next], 0);
            order.map_or(both.clone(), |order| both.select(0, order.clone()))
        };
        Self { key: join(&self.key, next.key), value: join(&self.value, next.value) }
    }
}
