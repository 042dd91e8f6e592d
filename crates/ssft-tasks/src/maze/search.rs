//! The searches, as they log themselves.

use super::grid::{Direction, Maze};
use std::collections::VecDeque;

/// A search that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// What it looked at; see the table of the module.
    pub(super) log: String,
    /// From start to goal.
    pub(super) path: Vec<usize>,
}

/// Which hand stays on the wall.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    Right,
    Left,
}

impl Hand {
    /// The sides of a cell in the order in which they are tried, for somebody who came in this direction.
    pub(super) fn order(self, heading: Direction) -> [Direction; 4] {
        let quarters = match self {
            Self::Right => [1, 0, 3, 2],
            Self::Left => [3, 0, 1, 2],
        };
        quarters.map(|quarters| heading.turned(quarters))
    }
}

/// A walk that never enters a cell twice, but for going back.
#[derive(Debug, Clone)]
pub(super) struct Walk<'a> {
    maze: &'a Maze,
    seen: Vec<bool>,
    /// The way from the start to where it stands.
    pub(super) way: Vec<usize>,
}

impl<'a> Walk<'a> {
    /// One that stands at the start.
    pub(super) fn new(maze: &'a Maze) -> Self {
        let mut seen = vec![false; maze.cells()];
        seen[maze.start()] = true;
        Self { maze, seen, way: vec![maze.start()] }
    }

    /// The cell to which this hand leads next: a new one, or back; `None` where all has been seen.
    pub(super) fn next(&self, hand: Hand) -> Option<usize> {
        let here = *self.way.last()?;
        let before = self.before();
        // Whoever stands at the start looks north.
        let heading = before.and_then(|before| self.maze.direction(before, here)).unwrap_or(Direction::North);
        let mut ahead = hand.order(heading).into_iter().filter_map(|side| self.maze.step(here, side));
        ahead.find(|&cell| !self.seen[cell]).or(before)
    }

    /// Whether one step leads to a cell that is new, or the one before.
    pub(super) fn allows(&self, cell: usize) -> bool {
        let is_open = self.way.last().is_some_and(|&here| self.maze.is_open(here, cell));
        is_open && (!self.seen[cell] || self.before() == Some(cell))
    }

    /// Stands at a cell from now on, allowed or not: a cell of the way ends the way there, any other prolongs it. So a
    /// walk with a wrong step can be followed further.
    pub(super) fn go(&mut self, cell: usize) {
        match self.way.iter().position(|&known| known == cell) {
            Some(at) => self.way.truncate(at + 1),
            None => self.way.push(cell),
        }
        self.seen[cell] = true;
    }

    fn before(&self) -> Option<usize> {
        self.way.len().checked_sub(2).map(|at| self.way[at])
    }
}

/// Depth-first with a hand on the wall: the cells walked through, going back included.
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

/// Breadth-first from one end until the other is discovered: every cell looked at, followed by what it discovers.
pub(super) fn breadth_first(maze: &Maze, from: usize, to: usize) -> Option<Found> {
    let mut before: Vec<Option<usize>> = vec![None; maze.cells()];
    let (mut queue, mut groups) = (VecDeque::from([from]), Vec::new());
    while before[to].is_none() {
        let cell = queue.pop_front()?;
        let mut group = vec![cell];
        for other in maze.neighbours(cell) {
            if other != from && before[other].is_none() {
                before[other] = Some(cell);
                group.push(other);
                queue.push_back(other);
            }
        }
        // A cell that discovers nothing is not worth a word.
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

/// `[cells]`: moves of a shortest path from this cell; `usize::MAX` where none leads.
pub(super) fn distances(maze: &Maze, from: usize) -> Vec<usize> {
    let mut moves = vec![usize::MAX; maze.cells()];
    moves[from] = 0;
    let mut queue = VecDeque::from([from]);
    while let Some(cell) = queue.pop_front() {
        for other in maze.neighbours(cell) {
            if moves[other] == usize::MAX {
                moves[other] = moves[cell] + 1;
                queue.push_back(other);
            }
        }
    }
    moves
}

/// Letters of cells.
pub(super) fn spelled(cells: &[usize]) -> String {
    cells.iter().map(|&cell| Maze::letter(cell)).collect()
}
