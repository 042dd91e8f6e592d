//! Names the strategy of a log by its form and by its turns.
//!
//! A log in groups is `bfs` if it begins at the start, `back` if it begins at the goal; at least half of its groups
//! have to hold a cell that was named before (or the end it begins at) and then neighbours of it. If it begins at one
//! end and a later group at the other end before that was found, it is a chimera.
//!
//! A log without groups is a walk. At each of its steps the right and the left hand lead somewhere; the steps at which
//! they differ are telling. At least half of all steps have to follow a hand. If three in four telling steps that follow
//! one of the two follow the same one, the walk is `right` or `left`; if not, it is a chimera; without any it is nothing.

use super::grid::Maze;
use super::search::{Hand, Walk};
use super::strategies::Approach;
use crate::tasks::Strategy;
use crate::tasks::claim::split_answer;

/// See the rule of this module.
pub(super) fn strategy(question: &str, trace: &str) -> Strategy {
    let (log, _) = split_answer(trace);
    let Some(maze) = Maze::parse(question) else { return Strategy::Other };
    let groups: Option<Vec<Vec<usize>>> = log.split(',').map(|group| maze.cells_of(group)).collect();
    match groups.as_deref() {
        Some([walk]) => hand(&maze, walk),
        Some(groups) => end(&maze, groups),
        None => Strategy::Other,
    }
}

fn named(approach: Approach) -> Strategy {
    Strategy::Named(approach.index())
}

/// Whose hand a walk follows.
fn hand(maze: &Maze, cells: &[usize]) -> Strategy {
    if cells.first() != Some(&maze.start()) {
        return Strategy::Other;
    }
    let mut walk = Walk::new(maze);
    let (mut followed, mut right, mut left) = (0, 0, 0);
    for &cell in &cells[1..] {
        let [by_right, by_left] = [Hand::Right, Hand::Left].map(|hand| walk.next(hand));
        followed += usize::from([by_right, by_left].contains(&Some(cell)));
        if by_right != by_left {
            right += usize::from(by_right == Some(cell));
            left += usize::from(by_left == Some(cell));
        }
        walk.go(cell);
    }
    let steps = cells.len() - 1;
    match right + left {
        _ if 2 * followed < steps => Strategy::Other,
        0 => Strategy::Other,
        telling if 4 * right >= 3 * telling => named(Approach::Right),
        telling if 4 * left >= 3 * telling => named(Approach::Left),
        _ => Strategy::Chimera,
    }
}

/// From which end groups search.
fn end(maze: &Maze, groups: &[Vec<usize>]) -> Strategy {
    let Some(&from) = groups[0].first() else { return Strategy::Other };
    let approach = match from {
        from if from == maze.start() => Approach::Breadth,
        from if from == maze.goal() => Approach::Back,
        _ => return Strategy::Other,
    };
    let other_end = if from == maze.start() { maze.goal() } else { maze.start() };
    let mut seen = vec![false; maze.cells()];
    seen[from] = true;
    let mut holding = 0;
    for group in groups {
        let Some((&cell, found)) = group.split_first() else { continue };
        if cell == other_end && !seen[other_end] {
            return Strategy::Chimera;
        }
        holding += usize::from(seen[cell] && found.iter().all(|&other| maze.is_open(cell, other)));
        found.iter().for_each(|&other| seen[other] = true);
    }
    if 2 * holding >= groups.len() { named(approach) } else { Strategy::Other }
}
