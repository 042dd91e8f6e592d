//! Mazes for drawing: passages of a maze, and cells that a text visits.

use serde::Serialize;
use ssft_tasks::maze::Maze;

/// A maze to draw. Cells are numbered row by row from the top left.
#[derive(Debug, Serialize)]
pub struct Drawn {
    size: usize,
    start: usize,
    goal: usize,
    /// Pairs of neighbours without a wall between them.
    passages: Vec<(usize, usize)>,
}

impl Drawn {
    /// The maze of a question; `None` if the question is not a maze.
    pub fn new(question: &str) -> Option<Self> {
        let maze = Maze::parse(question)?;
        Some(Self { size: maze.size(), start: maze.start(), goal: maze.goal(), passages: maze.passages() })
    }
}

/// Cells of a maze that a text visits.
#[derive(Debug, Serialize)]
pub struct Trail {
    /// Cells of the search, in order. An unfinished text has them too.
    log: Vec<usize>,
    /// Cells of the path that the text gives as its answer; `None` without one.
    path: Option<Vec<usize>>,
}

impl Trail {
    /// The cells that `text` visits in the maze of `question`; `None` if the question is not a maze.
    pub fn new(question: &str, text: &str) -> Option<Self> {
        let maze = Maze::parse(question)?;
        let log = text.split_once('#').map_or(text, |(log, _)| log);
        let log = log.chars().filter_map(|letter| maze.claimed_path(&format!("#### {letter}"))).flatten();
        Some(Self { log: log.collect(), path: maze.claimed_path(text) })
    }
}
