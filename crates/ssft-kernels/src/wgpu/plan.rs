//! Which workgroup of an attention over trees takes which tile: described once for a forest, not once a layer.

use super::launch::upload;
use crate::forest::Forest;
use burn::backend::CubeDevice;
use burn::cubecl::server::Handle;
use burn_wgpu::CubeTensor;
use std::cmp::Reverse;
use std::fmt;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// Rows of a tile: pairs of a query and a head, or keys.
const ROWS: usize = 32;

/// What the tiles of a plan are cut from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiles {
    Queries,
    Keys,
}

/// A plan on a device: two lines of four numbers for each tile, then a line for each span.
#[derive(Clone)]
pub struct Plan {
    pub buffer: Handle,
    pub tiles: usize,
}

/// The plans of a forest that devices hold, each for a number of query heads that share a key head.
#[derive(Default)]
pub struct Plans(Mutex<Vec<(CubeDevice, usize, Tiles, Plan)>>);

impl fmt::Debug for Plans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plans").finish_non_exhaustive()
    }
}

impl Plans {
    /// The plan for the device of `like`, uploaded the first time.
    pub fn on(&self, like: &CubeTensor, forest: &Forest, group: usize, tiles: Tiles) -> Plan {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = |plan: &&(CubeDevice, usize, Tiles, Plan)| {
            (&plan.0, plan.1, plan.2) == (&like.device, group, tiles)
        };
        if let Some((_, _, _, plan)) = plans.iter().find(known) {
            return plan.clone();
        }
        let (mut lines, spans) = match tiles {
            Tiles::Queries => tiles_of_queries(forest, group),
            Tiles::Keys => tiles_of_keys(forest, group),
        };
        // The longest first, so that a GPU does not end with a few workgroups at work.
        lines.sort_by_key(|tile| Reverse(tile.work));
        let first_span = 2 * lines.len() as u32;
        let plan: Vec<[u32; 4]> = lines
            .iter()
            .flat_map(|tile| {
                let [a, mut b] = tile.lines;
                b[tile.span_word] += first_span;
                [a, b]
            })
            .chain(spans)
            .collect();
        let plan = Plan { buffer: upload(&like.client, &plan), tiles: lines.len() };
        plans.push((like.device.clone(), group, tiles, plan.clone()));
        plan
    }
}

/// A tile as its shader reads it. `lines[1][span_word]` counts from the first span.
struct Tile {
    lines: [[u32; 4]; 2],
    span_word: usize,
    /// What its workgroup walks over.
    work: usize,
}

fn words<const N: usize>(numbers: [usize; N]) -> [u32; N] {
    numbers.map(|number| u32::try_from(number).expect("a forest of fewer than 2^32 tokens"))
}

fn span(range: &Range<usize>) -> [u32; 4] {
    words([range.start, range.len(), 0, 0])
}

/// See `Tile` in `attention.wgsl`.
fn tiles_of_queries(forest: &Forest, group: usize) -> (Vec<Tile>, Vec<[u32; 4]>) {
    let (mut tiles, mut spans) = (Vec::new(), Vec::new());
    for (index, run) in forest.runs().iter().enumerate().filter(|(_, run)| run.new > 0) {
        let mut seen = forest.ancestors(index);
        let common = seen.iter().map(Range::len).sum::<usize>() + run.known();
        seen.push(run.key_start..run.key_start + run.length);
        for first_row in (0..run.new * group).step_by(ROWS) {
            let rows = ROWS.min(run.new * group - first_row);
            tiles.push(Tile {
                lines: [
                    words([run.query_start, first_row, rows, common]),
                    words([spans.len(), seen.len(), 0, 0]),
                ],
                span_word: 0,
                work: common + (first_row + rows - 1) / group + 1,
            });
        }
        spans.extend(seen.iter().map(span));
    }
    (tiles, spans)
}

/// See `Tile` in `attention_key_gradient.wgsl`.
fn tiles_of_keys(forest: &Forest, group: usize) -> (Vec<Tile>, Vec<[u32; 4]>) {
    let (mut tiles, mut spans) = (Vec::new(), Vec::new());
    for (run, viewers) in forest.runs().iter().zip(viewers(forest)) {
        let others: usize = viewers.iter().map(Range::len).sum();
        for first in (0..run.length).step_by(ROWS) {
            let keys = ROWS.min(run.length - first);
            // The first of the run's new tokens that sees one of these keys.
            let from = first.max(run.known());
            let own = run.length - from;
            let rows = (own + others) * group;
            tiles.push(Tile {
                lines: [
                    words([run.key_start + first, keys, run.query_start + from - run.known(), own]),
                    words([from - first + 1, spans.len(), viewers.len(), rows]),
                ],
                span_word: 1,
                work: rows,
            });
        }
        spans.extend(viewers.iter().map(span));
    }
    (tiles, spans)
}

/// For each run, the queries of the runs that continue it, joined where they stand side by side.
fn viewers(forest: &Forest) -> Vec<Vec<Range<usize>>> {
    let mut viewers: Vec<Vec<Range<usize>>> = vec![Vec::new(); forest.runs().len()];
    for run in forest.runs().iter().filter(|run| run.new > 0) {
        let queries = run.query_start..run.query_start + run.new;
        let parent = |&above: &usize| -> Option<usize> { forest.runs()[above].parent };
        for above in std::iter::successors(run.parent, parent) {
            match viewers[above].last_mut() {
                Some(last) if last.end == queries.start => last.end = queries.end,
                _ => viewers[above].push(queries.clone()),
            }
        }
    }
    viewers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forest::Node;

    fn forest() -> Forest {
        let node = |parent, length, new| Node { parent, length, new };
        // A prompt, of which 3 tokens are known; a fork with two traces; another fork, cut short.
        Forest::new(&[
            node(None, 40, 37),
            node(Some(0), 2, 2),
            node(Some(1), 5, 5),
            node(Some(1), 6, 6),
            node(Some(0), 1, 0),
            node(Some(4), 3, 1),
        ])
    }

    #[test]
    fn every_query_and_head_is_in_one_tile() {
        for group in [1, 3, 40] {
            let (tiles, _) = tiles_of_queries(&forest(), group);
            let mut rows = vec![0; forest().queries() * group];
            for Tile { lines: [[first_query, first_row, count, _], _], .. } in tiles {
                let first = first_query as usize * group + first_row as usize;
                rows[first..first + count as usize].iter_mut().for_each(|row| *row += 1);
            }
            assert!(rows.iter().all(|&count| count == 1), "{group}: {rows:?}");
        }
    }

    #[test]
    fn tiles_see_what_the_forest_says() {
        let (tiles, spans) = tiles_of_queries(&forest(), 1);
        let of = |tile: usize| {
            let [[_, _, _, common], [first, count, ..]] = tiles[tile].lines;
            let spans = spans[first as usize..(first + count) as usize].iter().map(|&[a, b, ..]| (a, b));
            (common, spans.collect::<Vec<_>>())
        };
        assert_eq!(of(0), (3, vec![(0, 40)]));
        assert_eq!(of(3), (42, vec![(0, 40), (40, 2), (42, 5)]));
        assert_eq!(of(5), (43, vec![(0, 40), (53, 1), (54, 3)]));
    }

    #[test]
    fn keys_are_seen_by_their_own_run_and_by_what_continues_it() {
        let bounds = |spans: &Vec<Range<usize>>| spans.iter().map(|span| (span.start, span.end)).collect();
        let viewers: Vec<Vec<_>> = viewers(&forest()).iter().map(bounds).collect();
        assert_eq!(viewers, [vec![(37, 51)], vec![(39, 50)], vec![], vec![], vec![(50, 51)], vec![]]);
        let (tiles, _) = tiles_of_keys(&forest(), 2);
        // Keys 32..40 of the prompt: token 32, its query 29, sees the first of them.
        assert_eq!(tiles[1].lines, [[32, 8, 29, 8], [1, 0, 1, (8 + 14) * 2]]);
        // The known tokens of the last run: its only query sees all three.
        assert_eq!(tiles[6].lines, [[54, 3, 50, 1], [3, 3, 0, 2]]);
    }

    #[test]
    fn keys_of_a_run_without_queries_below_have_no_viewer() {
        let known = Node { parent: None, length: 4, new: 0 };
        let (tiles, _) = tiles_of_keys(&Forest::new(&[known, Node { new: 1, ..known }]), 1);
        assert_eq!(tiles[0].work, 0);
    }
}
