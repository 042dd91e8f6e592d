//! Task `maze`: find a path through a grid with loops, each question searched in four ways.
//!
//! # Question
//!
//! Every cell with its neighbors, then start and goal. A cell is a letter, row by row from the top left (`a` to `y`,
//! `z`, `A` to `W`); its neighbors follow clockwise from the north. An example of 3 x 3 cells (levels are larger):
//!
//! ```text
//! a-b c      question  abd ba cf daeg efd fcie gd hi ifh;ac:
//! |   |
//! d-e-f
//! |   |
//! g h-i
//! ```
//!
//! # Traces
//!
//! The log of a search, then ` #### ` and the path from start to goal, for example `abd,deg,ef,fci #### adefc`.
//! Characters: letters, `,`, `#` and space.
//!
//! | strategy | log of the example | content |
//! |---|---|---|
//! | `bfs` | `abd,deg,ef,fci` | breadth-first from the start: each visited cell, followed by the cells it discovers |
//! | `right` | `abadgdefihifc` | depth-first with the right hand on the wall: the cells walked through, ways back included |
//! | `left` | `abadefc` | the same with the left hand |
//! | `back` | `cf,fie,ih,ed,dag` | breadth-first from the goal |
//!
//! A walk starts facing north and enters a cell a second time only on its way back. There may be several paths, and
//! strategies often find different ones. The `answer` of a record is the number of moves of a shortest path.
//!
//! # Levels
//!
//! | difficulty | cells | bytes of a question | moves, mean/most | bytes of a trace, mean/longest: `bfs` and `back` | `right` and `left` |
//! |---|---|---|---|---|---|
//! | 1 | 5 x 5 | 107 | 6.4/18 | 51/87 | 36/56 |
//! | 2 | 6 x 6 | 151 | 7.8/24 | 65/119 | 47/78 |
//! | 3 | 7 x 7 | 203 | 9.3/29 | 83/157 | 60/104 |
//!
//! The shortest path has at least four moves. The four traces of a question have 1.7 to 1.8 different path lengths on
//! average. The number of mazes is practically unlimited, and no two questions have the same walls.
//!
//! One of every 20 pairs of start and goal is held out: no training question has it. Half of the test questions have a
//! held-out pair.
//!
//! # Verification
//!
//! The claimed answer must be a path from start to goal by open steps without a repeated cell; it need not be a shortest
//! one. The answer of the verdict is its number of moves. The steps are correct if the answer is, and the log is one of:
//! - a walk from start to goal that enters a cell again only on its way back;
//! - a discovery from start or goal: groups of an already named cell and its neighbors not named yet, until the other
//!   end is named.
//!
//! # Classification
//!
//! By the form of the log (walk or discovery); then a walk by the turns at which the two hands differ, a discovery by
//! the steps that lead away from one end only. Three in four of these must agree, else the log is [`Strategy::Chimera`].
//! A wrong step rarely changes the class. See `classify.rs` for the rules.
//!
//! Sources: logs of searches as in Searchformer, arXiv 2402.14083; paths with a common beginning as in arXiv 2403.06963.

mod classify;
mod generate;
mod grid;
mod search;
mod strategies;
#[cfg(test)]
mod tests;
mod verify;

pub use grid::Maze;

use crate::error::TaskError;
use crate::task::{Strategy, Task, TaskData, TaskSpec, Verdict};

/// The task `maze`; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mazes;

impl Task for Mazes {
    fn name(&self) -> &'static str {
        generate::NAME
    }

    fn strategies(&self) -> &'static [&'static str] {
        &strategies::NAMES
    }

    fn max_difficulty(&self) -> u8 {
        generate::MAX_DIFFICULTY
    }

    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError> {
        generate::make(spec)
    }

    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
