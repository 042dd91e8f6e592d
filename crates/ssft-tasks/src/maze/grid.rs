//! Square mazes: cells, open walls, and the text of a question.

use std::fmt;

/// Letters of the cells, row by row from the top left.
const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW";
/// Cells per side of the largest grid.
const LARGEST: usize = 7;

/// Direction of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    North,
    East,
    South,
    West,
}

impl Direction {
    /// All directions, clockwise from the north.
    pub(super) const ALL: [Self; 4] = [Self::North, Self::East, Self::South, Self::West];

    /// The direction after `quarters` quarter turns to the right.
    pub(super) fn turned(self, quarters: usize) -> Self {
        Self::ALL[(self as usize + quarters) % 4]
    }
}

/// A maze with start and goal. Cells are numbered row by row from the top left.
///
/// ```
/// use ssft_tasks::maze::Maze;
///
/// let maze = Maze::parse("abd ba cf daeg efd fcie gd hi ifh;ac:").expect("a question");
/// assert_eq!((maze.size(), maze.start(), maze.goal()), (3, 0, 2));
/// assert!(maze.is_open(0, 1) && !maze.is_open(1, 2));
/// assert_eq!(maze.claimed_path("abd,deg,ef,fci #### adefc"), Some(vec![0, 3, 4, 5, 2]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Maze {
    size: usize,
    /// `[cells][directions]`: whether there is no wall.
    open: Vec<[bool; 4]>,
    start: usize,
    goal: usize,
}

impl Maze {
    /// A grid of `size * size` cells with all walls.
    pub(super) fn walled(size: usize, start: usize, goal: usize) -> Self {
        Self { size, open: vec![[false; 4]; size * size], start, goal }
    }

    /// Number of cells per side.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Number of cells.
    pub fn cells(&self) -> usize {
        self.open.len()
    }

    /// The cell where a path starts.
    pub fn start(&self) -> usize {
        self.start
    }

    /// The cell where a path ends.
    pub fn goal(&self) -> usize {
        self.goal
    }

    /// Pairs of adjacent cells without a wall between them, the smaller number first.
    pub fn passages(&self) -> Vec<(usize, usize)> {
        let of = |cell: usize| {
            self.neighbors(cell).filter(move |&other| cell < other).map(move |other| (cell, other))
        };
        (0..self.cells()).flat_map(of).collect()
    }

    /// Whether the cells are adjacent without a wall between them.
    pub fn is_open(&self, from: usize, to: usize) -> bool {
        from < self.cells() && self.neighbors(from).any(|cell| cell == to)
    }

    /// The cells behind the last `####` of a trace; `None` if the text there is not a sequence of cells. The sequence
    /// need not be a path.
    pub fn claimed_path(&self, trace: &str) -> Option<Vec<usize>> {
        let (_, claim) = crate::claim::split_answer(trace);
        self.cells_of(claim?).filter(|cells| !cells.is_empty())
    }

    /// The adjacent cell in a direction, wall or not.
    pub(super) fn beyond(&self, cell: usize, direction: Direction) -> Option<usize> {
        let (row, column, last) = (cell / self.size, cell % self.size, self.size - 1);
        match direction {
            Direction::North => (row > 0).then(|| cell - self.size),
            Direction::East => (column < last).then_some(cell + 1),
            Direction::South => (row < last).then(|| cell + self.size),
            Direction::West => (column > 0).then(|| cell - 1),
        }
    }

    /// Removes the wall between a cell and its adjacent cell; no operation at the border.
    pub(super) fn open(&mut self, cell: usize, direction: Direction) {
        if let Some(other) = self.beyond(cell, direction) {
            self.open[cell][direction as usize] = true;
            self.open[other][direction.turned(2) as usize] = true;
        }
    }

    /// The cell reached by a step in a direction; `None` if there is a wall.
    pub(super) fn step(&self, cell: usize, direction: Direction) -> Option<usize> {
        self.beyond(cell, direction).filter(|_| self.open[cell][direction as usize])
    }

    /// The cells reached by one step, clockwise from the north.
    pub(super) fn neighbors(&self, cell: usize) -> impl Iterator<Item = usize> {
        Direction::ALL.into_iter().filter_map(move |direction| self.step(cell, direction))
    }

    /// The direction from a cell to an adjacent one.
    pub(super) fn direction(&self, from: usize, to: usize) -> Option<Direction> {
        Direction::ALL.into_iter().find(|&direction| self.beyond(from, direction) == Some(to))
    }

    /// The letter of a cell.
    pub(super) fn letter(cell: usize) -> char {
        char::from(LETTERS[cell])
    }

    /// The cells whose letters form `text`; `None` if it has any other character.
    pub(super) fn cells_of(&self, text: &str) -> Option<Vec<usize>> {
        text.chars().map(|letter| self.cell_of(letter)).collect()
    }

    fn cell_of(&self, letter: char) -> Option<usize> {
        let cell = LETTERS.iter().position(|&known| char::from(known) == letter)?;
        Some(cell).filter(|&cell| cell < self.cells())
    }

    /// Parses a question; `None` unless the text is exactly that of [`Display`](fmt::Display).
    pub fn parse(question: &str) -> Option<Self> {
        let (groups, ends) = question.strip_suffix(':')?.split_once(';')?;
        let groups: Vec<&str> = groups.split(' ').collect();
        let size = (2..=LARGEST).find(|size| size * size == groups.len())?;
        let mut maze = Self::walled(size, 0, 0);
        for (cell, group) in groups.iter().enumerate() {
            // A group is a cell and its neighbors; the comparison below checks order and symmetry.
            let [_, neighbors @ ..] = &maze.cells_of(group)?[..] else { return None };
            for &other in neighbors {
                let direction = maze.direction(cell, other)?;
                maze.open(cell, direction);
            }
        }
        match maze.cells_of(ends)?[..] {
            [start, goal] if start != goal => (maze.start, maze.goal) = (start, goal),
            _ => return None,
        }
        Some(maze).filter(|maze| maze.to_string() == question)
    }
}

impl fmt::Display for Maze {
    /// Writes every cell followed by its neighbors, then start and goal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for cell in 0..self.cells() {
            let separator = if cell == 0 { "" } else { " " };
            write!(formatter, "{separator}{}", Self::letter(cell))?;
            for other in self.neighbors(cell) {
                write!(formatter, "{}", Self::letter(other))?;
            }
        }
        write!(formatter, ";{}{}:", Self::letter(self.start), Self::letter(self.goal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maze_is_spelled_and_read() {
        // a-b
        //   |
        // c-d
        let mut maze = Maze::walled(2, 0, 2);
        maze.open(0, Direction::East);
        maze.open(1, Direction::South);
        maze.open(3, Direction::West);
        assert_eq!(maze.to_string(), "ab bda cd dbc;ac:");
        assert_eq!(Maze::parse("ab bda cd dbc;ac:"), Some(maze.clone()));
        assert_eq!(maze.passages(), [(0, 1), (1, 3), (2, 3)]);
        assert!(maze.is_open(1, 0) && !maze.is_open(0, 2) && !maze.is_open(9, 0));
        assert_eq!(maze.claimed_path("x #### abdc"), Some(vec![0, 1, 3, 2]));
        for trace in ["abdc", "x #### abe", "x ####"] {
            assert_eq!(maze.claimed_path(trace), None, "{trace}");
        }
    }

    #[test]
    fn what_is_no_question_is_refused() {
        for text in [
            "",
            ":",
            ";:",
            "ab bda cd dbc;ac",
            "ab bda cd dbc;aa:",
            "ab bda cd dbc;a:",
            "ab bda cd dbc;ae:",
            // A passage listed on one side only, a passage between distant cells, groups in another order.
            "ab bd cd dbc;ac:",
            "ad bda cd dbc;ac:",
            "bda ab cd dbc;ac:",
            "ab bda cd;ac:",
            "é b c d;ac:",
        ] {
            assert_eq!(Maze::parse(text), None, "{text}");
        }
    }
}
