//! Mazes with loops, each searched in four ways.
//!
//! A question names every cell with its neighbours, then start and goal: `abf bac cb .. ;as:`. Cells are single letters,
//! row by row from the top left (`a` to `y`, `z`, `A` to `W`); neighbours stand clockwise from the north. A trace is the
//! log of a search, then ` #### ` and the path found, from start to goal: letters, `,`, `#` and the space, the same for
//! all strategies.
//!
//! ```text
//! a-b c      question  abd ba cf daeg efd fcie gd hi ifh;ac:   (here 3 x 3; levels are larger)
//! |   |
//! d-e-f
//! |   |
//! g h-i
//! ```
//!
//! | strategy | here | log |
//! |---|---|---|
//! | `bfs` | `abd,deg,ef,fci` | breadth-first: each cell looked at, followed by what it discovers |
//! | `right` | `abadgdefihifc` | depth-first, the right hand on the wall: the cells walked through, back ways included |
//! | `left` | `abadefc` | the same with the left hand |
//! | `back` | `cf,fie,ih,ed,dag` | breadth-first from the goal |
//!
//! Whoever stands at the start looks north; nobody enters a cell twice but to go back. Several paths may lead to the
//! goal, and strategies often find different ones.
//!
//! Sources: logs of searches as in Searchformer, arXiv 2402.14083; paths that look alike at first as in arXiv 2403.06963.

mod classify;
mod generate;
mod grid;
mod search;
mod strategies;
#[cfg(test)]
mod tests;
mod verify;

pub use grid::Maze;

use super::{Strategy, Task, TaskData, TaskError, TaskSpec, Verdict};

/// The task `maze` with the strategies `bfs`, `right`, `left` and `back`.
///
/// | difficulty | cells | bytes of a question | moves, mean/most | bytes of a trace, mean/longest: `bfs` and `back` | `right` and `left` |
/// |---|---|---|---|---|---|
/// | 1 | 5 x 5 | 107 | 6.4/18 | 51/87 | 36/56 |
/// | 2 | 6 x 6 | 151 | 7.8/24 | 65/119 | 47/78 |
/// | 3 | 7 x 7 | 203 | 9.3/29 | 83/157 | 60/104 |
///
/// The shortest path has at least four moves; the four traces of a question find paths of 1.7 to 1.8 different lengths on
/// average. There are more mazes than anybody can ask for.
///
/// One pair of start and goal in twenty is held out: no training question has it. Half of the test questions have
/// such a pair. No two questions have the same walls.
///
/// The `answer` of a record is the number of moves of a shortest path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mazes;

const NAME: &str = "maze";

impl Task for Mazes {
    fn name(&self) -> &'static str {
        NAME
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

    /// The claim must be a path: from start to goal by open steps, no cell twice; it need not be a shortest one. Votes
    /// count its moves. Steps are correct if the answer is, and the log is either a walk from start to goal that enters a
    /// cell again only by going back, or a discovery: groups of a cell named before and neighbours not named yet, from
    /// one end until the other is named.
    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    /// Looks at the form of the log, then, in a walk, at the turns at which the hands differ, in a discovery at the steps
    /// that lead away from one end and not from the other: three in four have to agree, else the log is a chimera. A
    /// wrong step seldom changes the class.
    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
