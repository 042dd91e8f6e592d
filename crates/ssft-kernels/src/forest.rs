//! Which keys a query sees: trees of runs of tokens.

use crate::plan_cache::PlanCache;
use std::ops::Range;
use std::sync::Arc;

/// A run of tokens that continues another run: a prompt, a fork's tokens, a trace, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Index of the run that this one continues, an earlier node; `None` for the root of a tree.
    pub parent: Option<usize>,
    /// Number of its tokens, each of which is a key.
    pub length: usize,
    /// Number of its queries: the last `new` of its tokens. The keys and values of the others come from an earlier pass.
    pub new: usize,
}

/// A [`Node`] with its place in the lists of keys and queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// Index of the run that this one continues.
    pub parent: Option<usize>,
    /// Row of its first key.
    pub key_start: usize,
    /// Number of its keys.
    pub length: usize,
    /// Row of its first query.
    pub query_start: usize,
    /// Number of its queries, which are its last tokens.
    pub new: usize,
}

/// Trees of runs of tokens, which say what each token sees in [`crate::tree_attention`].
///
/// A token sees all tokens of the runs that its own run continues, and those of its own run up to itself. It does not see
/// sibling runs or other trees. Queries are in the order of the nodes; so are keys, unless [`Forest::placed`] sets
/// their rows. Cloning copies two pointers.
///
/// # Examples
/// ```
/// use ssft_kernels::{Forest, Node};
///
/// // A prompt of 5 tokens, whose keys are in a cache, and two traces that continue it.
/// let forest = Forest::new(&[
///     Node { parent: None, length: 5, new: 0 },
///     Node { parent: Some(0), length: 3, new: 3 },
///     Node { parent: Some(0), length: 2, new: 2 },
/// ]);
/// assert_eq!((forest.keys(), forest.queries()), (10, 5));
/// // The second trace sees the prompt, and its own tokens from row 8 on.
/// assert_eq!(forest.ancestors(2), [0..5]);
/// assert_eq!(forest.runs()[2].key_start, 8);
/// ```
#[derive(Debug, Clone)]
pub struct Forest {
    runs: Arc<[Run]>,
    plans: Arc<PlanCache>,
}

impl Forest {
    /// A forest whose keys are in the order of `nodes`, without gaps.
    ///
    /// # Panics
    /// If there is no query, a node has no token or more new tokens than tokens, or its parent is not an earlier node.
    pub fn new(nodes: &[Node]) -> Self {
        let starts = nodes.iter().scan(0, |next, node| {
            *next += node.length;
            Some(*next - node.length)
        });
        Self::placed(nodes, starts)
    }

    /// A forest in which the keys of each node begin at the row that `key_starts` gives, so that a cache can have room
    /// behind them.
    ///
    /// The rows of different nodes must not overlap; rows between them are not read. Such a forest supports no gradients.
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

    /// All runs, in the order of the nodes.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Number of rows that a list of keys needs: the largest row of a key plus 1. Without gaps, the number of keys.
    pub fn keys(&self) -> usize {
        self.runs.iter().map(|run| run.key_start + run.length).max().unwrap_or(0)
    }

    /// Number of queries.
    pub fn queries(&self) -> usize {
        self.runs.last().map_or(0, |run| run.query_start + run.new)
    }

    /// Rows of the keys of each run that `run` continues, from the root on. The keys of `run` itself are not included.
    ///
    /// # Panics
    /// If there is no such run.
    pub fn ancestors(&self, run: usize) -> Vec<Range<usize>> {
        let parent = |&run: &usize| self.runs[run].parent;
        let mut chain: Vec<_> = std::iter::successors(parent(&run), parent)
            .map(|index| self.runs[index].key_start..self.runs[index].key_start + self.runs[index].length)
            .collect();
        chain.reverse();
        chain
    }

    /// The plans of this forest that devices hold.
    pub(crate) fn plans(&self) -> &PlanCache {
        &self.plans
    }

    /// Indices of the runs of each tree. `None` if the runs of two trees alternate or keys have gaps between them; then
    /// there are no gradients.
    pub fn trees(&self) -> Option<Vec<Range<usize>>> {
        let follows = |pair: &[Run]| pair[1].key_start == pair[0].key_start + pair[0].length;
        if self.runs[0].key_start > 0 || !self.runs.windows(2).all(follows) {
            return None;
        }
        let roots: Vec<usize> = (0..self.runs.len()).filter(|&run| self.runs[run].parent.is_none()).collect();
        // A tree ends where the next one starts.
        let ends = roots[1..].iter().copied().chain([self.runs.len()]);
        let trees: Vec<_> = roots.iter().copied().zip(ends).map(|(from, to)| from..to).collect();
        let is_whole = |tree: &Range<usize>| {
            self.runs[tree.start + 1..tree.end]
                .iter()
                .all(|run| run.parent.is_some_and(|parent| parent >= tree.start))
        };
        trees.iter().all(is_whole).then_some(trees)
    }
}

impl Run {
    /// Number of its keys before its first query.
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
    fn runs_are_placed_without_gaps() {
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
    fn runs_of_two_trees_may_alternate() {
        let forest = Forest::new(&[node(None, 1, 1), node(None, 1, 1), node(Some(0), 1, 1)]);
        assert_eq!(forest.trees(), None);
        assert_eq!(forest.ancestors(2).first(), Some(&(0..1)));
    }

    #[test]
    fn keys_may_have_gaps_between_them() {
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
    fn a_forest_without_queries_is_refused() {
        Forest::new(&[node(None, 3, 0)]);
    }
}
