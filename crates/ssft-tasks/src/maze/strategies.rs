//! The four ways to write out the search for a path.

use super::grid::Maze;
use super::search::{Found, Hand, breadth_first, depth_first, spelled};
use crate::claim::ANSWER_MARK;

/// A way to the goal.
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

/// Names by [`Approach::index`].
pub(super) const NAMES: [&str; 4] = ["bfs", "right", "left", "back"];

impl Approach {
    /// All of them, in the order of [`NAMES`].
    pub(super) const ALL: [Self; 4] = [Self::Breadth, Self::Right, Self::Left, Self::Back];

    /// The position in [`NAMES`].
    pub(super) fn index(self) -> usize {
        self as usize
    }

    /// The short name.
    pub(super) fn name(self) -> &'static str {
        NAMES[self.index()]
    }

    /// Searches a maze; `None` if its goal cannot be reached.
    pub(super) fn search(self, maze: &Maze) -> Option<Found> {
        match self {
            Self::Breadth => breadth_first(maze, maze.start(), maze.goal()),
            Self::Right => depth_first(maze, Hand::Right),
            Self::Left => depth_first(maze, Hand::Left),
            Self::Back => breadth_first(maze, maze.goal(), maze.start()),
        }
    }

    /// The correct trace: log, mark and path.
    pub(super) fn trace(self, maze: &Maze) -> Option<String> {
        let Found { log, path } = self.search(maze)?;
        Some(format!("{log} {ANSWER_MARK} {}", spelled(&path)))
    }
}
