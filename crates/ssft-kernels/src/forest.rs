//! Which keys a query sees: trees of runs of tokens.

use crate::wgpu::plan::Plans;
use std::ops::Range;
use std::sync::Arc;

/// A run of tokens that continues another one: a prompt, a fork's lead, a trace, or a piece of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// The run that this one continues, an earlier node; a node without one starts a tree.
    pub parent: Option<usize>,
    /// Its tokens, each of which is a key.
    pub length: usize,
    /// How many of them, the last ones, are queries. The others are known from an earlier pass.
    pub new: usize,
}

/// A [`Node`] with its place in the lists of keys and queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// The run that this one continues.
    pub parent: Option<usize>,
    /// First of its keys.
    pub key_start: usize,
    /// Number of its keys.
    pub length: usize,
    /// First of its queries.
    pub query_start: usize,
    /// Number of its queries; they are its last tokens.
    pub new: usize,
}

/// Trees of runs. A token sees all tokens of the runs that its own run continues, of its own run those up to
/// itself, and nothing else: never a sibling, never another tree.
///
/// Queries stand in the order of the nodes, and so do keys unless they were placed otherwise. Cloning is free.
#[derive(Debug, Clone)]
pub struct Forest {
    runs: Arc<[Run]>,
    /// What GPUs were told of it.
    plans: Arc<Plans>,
}

impl Forest {
    /// Lays out `nodes` one after the other.
    ///
    /// # Panics
    /// If there is no query, a node is empty or has more new tokens than tokens, or its parent is not an earlier node.
    pub fn new(nodes: &[Node]) -> Self {
        let starts = nodes.iter().scan(0, |next, node| {
            *next += node.length;
            Some(*next - node.length)
        });
        Self::placed(nodes, starts)
    }

    /// Has the keys of each node begin at its number of `key_starts`, so that a cache may leave room behind them. They
    /// must not overlap; what lies between them is not read. Such a forest carries no gradients.
    ///
    /// # Panics
    /// As [`Forest::new`], and if there are fewer starts than nodes.
    pub fn placed(nodes: &[Node], key_starts: impl IntoIterator<Item = usize>) -> Self {
        let (mut starts, mut query_start) = (key_starts.into_iter(), 0);
        let place = |(index, node): (usize, &Node)| {
            assert!(node.length > 0 && node.new <= node.length, "node {index} is {node:?}");
            assert!(
                node.parent.is_none_or(|parent| parent < index),
                "node {index} continues {:?}",
                node.parent
            );
            let key_start = starts.next().unwrap_or_else(|| panic!("node {index} has no place"));
            let run = Run { parent: node.parent, key_start, length: node.length, query_start, new: node.new };
            query_start += node.new;
            run
        };
        let runs: Arc<[Run]> = nodes.iter().enumerate().map(place).collect();
        assert!(query_start > 0, "a forest without a query");
        Self { runs, plans: Arc::default() }
    }

    /// Every run, in order.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Rows of keys that the forest reaches over: their number, if none was placed elsewhere.
    pub fn keys(&self) -> usize {
        self.runs.iter().map(|run| run.key_start + run.length).max().unwrap_or(0)
    }

    /// Number of queries.
    pub fn queries(&self) -> usize {
        self.runs.last().map_or(0, |run| run.query_start + run.new)
    }

    /// The keys of the runs that `run` continues, outermost first. Its own keys are not among them.
    pub fn ancestors(&self, run: usize) -> Vec<Range<usize>> {
        let parent = |&run: &usize| self.runs[run].parent;
        let mut chain: Vec<_> = std::iter::successors(parent(&run), parent)
            .map(|index| self.runs[index].key_start..self.runs[index].key_start + self.runs[index].length)
            .collect();
        chain.reverse();
        chain
    }

    pub(crate) fn plans(&self) -> &Plans {
        &self.plans
    }

    /// The runs of each tree, if no tree is interrupted by runs of another and keys stand one after the other; what is to
    /// have gradients is packed so.
    pub fn trees(&self) -> Option<Vec<Range<usize>>> {
        let follows = |pair: &[Run]| pair[1].key_start == pair[0].key_start + pair[0].length;
        if self.runs[0].key_start > 0 || !self.runs.windows(2).all(follows) {
            return None;
        }
        let roots: Vec<usize> = (0..self.runs.len()).filter(|&run| self.runs[run].parent.is_none()).collect();
        // A tree ends where the next one starts.
        let ends = roots[1..].iter().copied().chain([self.runs.len()]);
        let trees: Vec<_> = roots.iter().copied().zip(ends).map(|(from, to)| from..to).collect();
        let whole = |tree: &Range<usize>| {
            self.runs[tree.start + 1..tree.end]
                .iter()
                .all(|run| run.parent.is_some_and(|parent| parent >= tree.start))
        };
        trees.iter().all(whole).then_some(trees)
    }
}

impl Run {
    /// How many of the run's keys stand before its first query.
    pub fn known(&self) -> usize {
        self.length - self.new
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(parent: Option<usize>, length: usize, new: usize) -> Node {
        Node { parent, length, new }
    }

    #[test]
    fn runs_are_placed_one_after_the_other() {
        let forest =
            Forest::new(&[node(None, 5, 0), node(Some(0), 3, 2), node(Some(1), 4, 4), node(None, 2, 1)]);
        let starts: Vec<_> = forest.runs().iter().map(|run| (run.key_start, run.query_start)).collect();
        assert_eq!(starts, [(0, 0), (5, 0), (8, 2), (12, 6)]);
        assert_eq!((forest.keys(), forest.queries()), (14, 7));
        assert_eq!(forest.ancestors(2), [0..5, 5..8]);
        assert!(forest.ancestors(3).is_empty());
        assert_eq!(forest.trees(), Some(vec![0..3, 3..4]));
    }

    #[test]
    fn a_tree_may_be_interrupted() {
        let forest = Forest::new(&[node(None, 1, 1), node(None, 1, 1), node(Some(0), 1, 1)]);
        assert_eq!(forest.trees(), None);
        assert_eq!(forest.ancestors(2).first(), Some(&(0..1)));
    }

    #[test]
    fn keys_may_be_placed_with_room_between_them() {
        let nodes = [node(None, 2, 0), node(Some(0), 3, 1), node(Some(0), 1, 1)];
        let forest = Forest::placed(&nodes, [4, 8, 0]);
        assert_eq!((forest.keys(), forest.queries(), forest.trees()), (11, 2, None));
        assert_eq!(forest.ancestors(2).first(), Some(&(4..6)));
        assert_eq!(forest.runs()[2].key_start..forest.runs()[2].key_start + 1, 0..1);
    }

    #[test]
    #[should_panic(expected = "node 1 continues Some(1)")]
    fn a_parent_that_comes_later_is_refused() {
        Forest::new(&[node(None, 1, 1), node(Some(1), 1, 1)]);
    }

    #[test]
    #[should_panic(expected = "a forest without a query")]
    fn nothing_to_ask_is_refused() {
        Forest::new(&[node(None, 3, 0)]);
    }
}
