//! Plan of an attention over trees: the tile of each workgroup, and the spans of tokens that are the columns of a tile.

use super::launch::upload;
use crate::forest::Forest;
use crate::plan_cache::{Plan, PlanKey, Tiles};
use burn_wgpu::CubeTensor;
use std::cmp::Reverse;
use std::ops::Range;

/// Rows of a tile: pairs of a query and a head, or keys.
const ROWS: usize = 32;

/// The plan of a forest on the device of `like`, for `group` query heads per key head. It is uploaded once.
pub fn plan(like: &CubeTensor, forest: &Forest, group: usize, tiles: Tiles) -> Plan {
    let key = PlanKey { device: like.device.clone(), group, tiles };
    forest.plans().get_or_make(key, || {
        let (tiles, spans) = match tiles {
            Tiles::Queries => tiles_of_queries(forest, group),
            Tiles::Keys => tiles_of_keys(forest, group),
        };
        Plan { tiles: tiles.len(), buffer: upload(&like.client, &lines_of(tiles, spans)) }
    })
}

/// All lines of a plan. Tiles with much work come first, so that a GPU does not end with a few busy workgroups.
fn lines_of(mut tiles: Vec<Tile>, spans: Vec<[u32; 4]>) -> Vec<[u32; 4]> {
    tiles.sort_by_key(|tile| Reverse(tile.work));
    let first_span = 2 * tiles.len() as u32;
    let lines = tiles.iter().flat_map(|tile| {
        let [a, mut b] = tile.lines;
        b[tile.span_word] += first_span;
        [a, b]
    });
    lines.chain(spans).collect()
}

/// A tile in the layout of its shader.
struct Tile {
    /// Its two lines of the plan.
    lines: [[u32; 4]; 2],
    /// Word of the second line that holds the number of the tile's first span, still counted from the first span.
    span_word: usize,
    /// Number of columns that its workgroup computes.
    work: usize,
}

fn words<const N: usize>(numbers: [usize; N]) -> [u32; N] {
    numbers.map(|number| u32::try_from(number).expect("a forest of fewer than 2^32 tokens"))
}

fn span(range: &Range<usize>) -> [u32; 4] {
    words([range.start, range.len(), 0, 0])
}

/// Tiles in the layout of `Tile` in `parts/query_tile.wgsl`, and spans of keys.
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

/// Tiles in the layout of `Tile` in `attention_key_gradient.wgsl`, and spans of queries.
fn tiles_of_keys(forest: &Forest, group: usize) -> (Vec<Tile>, Vec<[u32; 4]>) {
    let (mut tiles, mut spans) = (Vec::new(), Vec::new());
    for (run, viewers) in forest.runs().iter().zip(viewers(forest)) {
        let others: usize = viewers.iter().map(Range::len).sum();
        for first in (0..run.length).step_by(ROWS) {
            let keys = ROWS.min(run.length - first);
            // First of the new tokens of the run that sees one of these keys.
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

/// For each run, the queries of the runs that continue it. Adjacent ranges are joined.
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
        // A prompt with 3 known tokens, a fork with two traces, and a fork whose only trace has one new token.
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
