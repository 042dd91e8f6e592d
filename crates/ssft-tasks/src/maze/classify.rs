//! Classification of a log by its form, its turns and the direction of its search.
//!
//! Form: a log without commas is a walk. Otherwise each group of at least three letters is a walk if more of its letters
//! are adjacent to the previous letter than to the first one, else a discovery; groups of two letters are discoveries.
//! (Two neighbors of a cell are never adjacent to each other.) Counted are the letters behind the first of their group:
//! three quarters of them in discoveries make the log a discovery, three quarters in walks a walk with extra commas,
//! anything between a chimera.
//!
//! Strategy: by the majority of the evidence.
//!
//! | form | first letter | required for at least half | evidence | strategy |
//! |---|---|---|---|---|
//! | walk | start | steps that a hand would take | steps at which the hands differ | the hand: `right`, `left` |
//! | discovery | start or goal | letters adjacent to the first of their group | steps away from one end only | the end: `bfs`, `back` |
//!
//! Three quarters of the evidence must agree, else the log is a chimera. Without evidence a walk is
//! [`Strategy::Other`], and the first letter of a discovery decides. Distances to the ends are those of shortest paths.
//! One wrong, missing or additional letter changes the class of at most one walk in fourteen and one discovery in forty
//! (measured; fewer at higher levels).

use super::grid::Maze;
use super::search::{Hand, Walk, distances};
use super::strategies::Approach;
use crate::claim::split_answer;
use crate::task::Strategy;

/// The class of `trace`; see the rules of this module.
pub(super) fn strategy(question: &str, trace: &str) -> Strategy {
    let (log, _) = split_answer(trace);
    let Some(maze) = Maze::parse(question) else { return Strategy::Other };
    let groups: Option<Vec<Vec<usize>>> = log.split(',').map(|group| maze.cells_of(group)).collect();
    match groups.as_deref() {
        Some([walk]) => hand(&maze, walk),
        Some(groups) => form(&maze, groups),
        None => Strategy::Other,
    }
}

/// The strategy whose count is at least three quarters of the total; a chimera if there is none.
fn settled(counts: [usize; 2], strategies: [Approach; 2]) -> Strategy {
    let total: usize = counts.iter().sum();
    match counts.iter().position(|&count| is_three_quarters(count, total)) {
        Some(at) => Strategy::Named(strategies[at].index()),
        None => Strategy::Chimera,
    }
}

/// Whether `part` is at least three quarters of `total`.
fn is_three_quarters(part: usize, total: usize) -> bool {
    4 * part >= 3 * total
}

/// The class of a walk.
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
    if 2 * followed < cells.len() - 1 || right + left == 0 {
        return Strategy::Other;
    }
    settled([right, left], [Approach::Right, Approach::Left])
}

/// The class of several groups.
fn form(maze: &Maze, groups: &[Vec<usize>]) -> Strategy {
    let begins = groups[0].first().is_some_and(|cell| [maze.start(), maze.goal()].contains(cell));
    let steps = |group: &&Vec<usize>| group.len().saturating_sub(1);
    let walked: usize = groups.iter().filter(|group| is_walk(maze, group)).map(|group| steps(&group)).sum();
    let total: usize = groups.iter().map(|group| steps(&group)).sum();
    let discovered = total - walked;
    match total {
        0 => Strategy::Other,
        _ if !begins => Strategy::Other,
        _ if is_three_quarters(discovered, total) => end(maze, groups),
        _ if is_three_quarters(walked, total) => hand(maze, &groups.concat()),
        _ => Strategy::Chimera,
    }
}

/// Whether more letters of a group are adjacent to the previous letter than to the first one.
fn is_walk(maze: &Maze, group: &[usize]) -> bool {
    // The second letter is adjacent to the first in both cases.
    let [first, telling @ ..] = group else { return false };
    let from_before = telling.windows(2).filter(|step| maze.is_open(step[0], step[1])).count();
    let from_first = telling.windows(2).filter(|step| maze.is_open(*first, step[1])).count();
    from_before > from_first
}

/// The class of a discovery.
fn end(maze: &Maze, groups: &[Vec<usize>]) -> Strategy {
    let begun = match groups[0].first() {
        Some(&cell) if cell == maze.start() => Approach::Breadth,
        Some(&cell) if cell == maze.goal() => Approach::Back,
        _ => return Strategy::Other,
    };
    let ends = [maze.start(), maze.goal()].map(|end| distances(maze, end));
    let (mut letters, mut open, mut away) = (0, 0, [0, 0]);
    for (&cell, found) in groups.iter().filter_map(|group| group.split_first()) {
        for &other in found {
            letters += 1;
            if !maze.is_open(cell, other) {
                continue;
            }
            open += 1;
            let [from_start, from_goal] = [&ends[0], &ends[1]].map(|moves| moves[other] > moves[cell]);
            away[0] += usize::from(from_start && !from_goal);
            away[1] += usize::from(from_goal && !from_start);
        }
    }
    match away {
        _ if 2 * open < letters => Strategy::Other,
        [0, 0] => Strategy::Named(begun.index()),
        _ => settled(away, [Approach::Breadth, Approach::Back]),
    }
}
