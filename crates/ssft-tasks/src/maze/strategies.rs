//! The four strategies: the correct trace of each for a maze.

use super::grid::Maze;
use super::search::{Found, Hand, breadth_first, depth_first, spelled};
use crate::claim::ANSWER_MARK;

/// A strategy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Approach {
    /// `bfs`: breadth-first from the start.
    Breadth,
    /// `right`: depth-first, the right hand on the wall.
    Right,
    /// `left`: depth-first, the left hand on the wall.
    Left,
    /// `back`: breadth-first from the goal.
    Back,
}

/// Names, indexed by [`Approach::index`].
pub(super) const NAMES: [&str; 4] = ["bfs", "right", "left", "back"];

impl Approach {
    /// All strategies, in the order of [`NAMES`].
    pub(super) const ALL: [Self; 4] = [Self::Breadth, Self::Right, Self::Left, Self::Back];

    /// Index into [`NAMES`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// Name of the strategy.
    pub(super) fn name(self) -> &'static str {
        NAMES[self.index()]
    }

    /// The search of `maze`; `None` if the goal cannot be reached.
    pub(super) fn search(self, maze: &Maze) -> Option<Found> {
        match self {
            Self::Breadth => breadth_first(maze, maze.start(), maze.goal()),
            Self::Right => depth_first(maze, Hand::Right),
            Self::Left => depth_first(maze, Hand::Left),
            Self::Back => breadth_first(maze, maze.goal(), maze.start()),
        }
    }

    /// The correct trace: log, answer mark, path.
    pub(super) fn trace(self, maze: &Maze) -> Option<String> {
        let Found { log, path } = self.search(maze)?;
        Some(format!("{log} {ANSWER_MARK} {}", spelled(&path)))
    }
}
