//! The searches of the four strategies and their logs.

use super::grid::{Direction, Maze};
use std::collections::VecDeque;

/// A search that reached its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// The log; see the table of the `maze` module.
    pub(super) log: String,
    /// Cells from start to goal.
    pub(super) path: Vec<usize>,
}

/// The hand that stays on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    Right,
    Left,
}

impl Hand {
    /// The order in which the directions are tried in a cell entered in direction `heading`.
    pub(super) fn order(self, heading: Direction) -> [Direction; 4] {
        let quarters = match self {
            Self::Right => [1, 0, 3, 2],
            Self::Left => [3, 0, 1, 2],
        };
        quarters.map(|quarters| heading.turned(quarters))
    }
}

/// A walk that enters a cell again only on its way back.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    maze: &'a Maze,
    seen: Vec<bool>,
    /// Cells from the start to the current cell.
    pub(super) way: Vec<usize>,
}

impl<'a> Walk<'a> {
    /// A walk at the start.
    pub(super) fn new(maze: &'a Maze) -> Self {
        let mut seen = vec![false; maze.cells()];
        seen[maze.start()] = true;
        Self { maze, seen, way: vec![maze.start()] }
    }

    /// The next cell by the rule of `hand`: a new cell, else the previous one; `None` at the start without new cells.
    pub(super) fn next(&self, hand: Hand) -> Option<usize> {
        let here = *self.way.last()?;
        let before = self.before();
        // A walk starts facing north.
        let heading = before.and_then(|before| self.maze.direction(before, here)).unwrap_or(Direction::North);
        let mut ahead = hand.order(heading).into_iter().filter_map(|side| self.maze.step(here, side));
        ahead.find(|&cell| !self.seen[cell]).or(before)
    }

    /// Whether a step to `cell` is open, and `cell` is new or the previous cell.
    pub(super) fn allows(&self, cell: usize) -> bool {
        let is_open = self.way.last().is_some_and(|&here| self.maze.is_open(here, cell));
        is_open && (!self.seen[cell] || self.before() == Some(cell))
    }

    /// Moves to `cell`, allowed or not, so that a walk with a wrong step can be followed further. A cell of the way cuts
    /// the way there; any other cell extends it.
    pub(super) fn go(&mut self, cell: usize) {
        match self.way.iter().position(|&known| known == cell) {
            Some(at) => self.way.truncate(at + 1),
            None => self.way.push(cell),
        }
        self.seen[cell] = true;
    }

    /// The previous cell of the way.
    fn before(&self) -> Option<usize> {
        self.way.len().checked_sub(2).map(|at| self.way[at])
    }
}

/// Depth-first search with a hand on the wall; the log has all cells walked through, ways back included.
pub(super) fn depth_first(maze: &Maze, hand: Hand) -> Option<Found> {
    let mut walk = Walk::new(maze);
    let mut log = vec![maze.start()];
    while walk.way.last() != Some(&maze.goal()) {
        let next = walk.next(hand)?;
        walk.go(next);
        log.push(next);
    }
    Some(Found { log: spelled(&log), path: walk.way })
}

/// Breadth-first search from one end until the other is discovered; the log has each visited cell, followed by the cells
/// it discovers.
pub(super) fn breadth_first(maze: &Maze, from: usize, to: usize) -> Option<Found> {
    let mut before: Vec<Option<usize>> = vec![None; maze.cells()];
    let (mut queue, mut groups) = (VecDeque::from([from]), Vec::new());
    while before[to].is_none() {
        let cell = queue.pop_front()?;
        let mut group = vec![cell];
        for other in maze.neighbors(cell) {
            if other != from && before[other].is_none() {
                before[other] = Some(cell);
                group.push(other);
                queue.push_back(other);
            }
        }
        // A cell that discovers nothing is not logged.
        if group.len() > 1 {
            groups.push(spelled(&group));
        }
    }
    let mut path: Vec<usize> = std::iter::successors(Some(to), |&cell| before[cell]).collect();
    if from == maze.start() {
        path.reverse();
    }
    Some(Found { log: groups.join(","), path })
}

/// `[cells]`: moves of a shortest path from `from`; `usize::MAX` without a path.
pub(super) fn distances(maze: &Maze, from: usize) -> Vec<usize> {
    let mut moves = vec![usize::MAX; maze.cells()];
    moves[from] = 0;
    let mut queue = VecDeque::from([from]);
    while let Some(cell) = queue.pop_front() {
        for other in maze.neighbors(cell) {
            if moves[other] == usize::MAX {
                moves[other] = moves[cell] + 1;
                queue.push_back(other);
            }
        }
    }
    moves
}

/// The letters of `cells`.
pub(super) fn spelled(cells: &[usize]) -> String {
    cells.iter().map(|&cell| Maze::letter(cell)).collect()
}
