//! Mazes for the eye: where the walls are, and where a text goes.

use serde::Serialize;
use ssft_tasks::maze::Maze;

/// A maze as a page draws it. Cells are numbered row by row from the top left.
#[derive(Debug, Serialize)]
pub struct Drawn {
    size: usize,
    start: usize,
    goal: usize,
    /// Pairs of neighbours without a wall between them.
    passages: Vec<(usize, usize)>,
}

impl Drawn {
    /// The maze that a question spells, if it spells one.
    pub fn new(question: &str) -> Option<Self> {
        let maze = Maze::parse(question)?;
        Some(Self { size: maze.size(), start: maze.start(), goal: maze.goal(), passages: maze.passages() })
    }
}

/// Where a text goes.
#[derive(Debug, Serialize)]
pub struct Trail {
    /// Cells of the search, in order; those of a text that has not ended too.
    log: Vec<usize>,
    /// Cells of the claimed path, if it is one of cells.
    path: Option<Vec<usize>>,
}

impl Trail {
    /// What `text` says about the maze of `question`, if that spells one.
    pub fn new(question: &str, text: &str) -> Option<Self> {
        let maze = Maze::parse(question)?;
        let log = text.split_once('#').map_or(text, |(log, _)| log);
        let log = log.chars().filter_map(|letter| maze.claimed_path(&format!("#### {letter}"))).flatten();
        Some(Self { log: log.collect(), path: maze.claimed_path(text) })
    }
}
