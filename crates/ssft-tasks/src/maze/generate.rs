//! Generation of the records of both splits.

use super::classify;
use super::grid::{Direction, Maze};
use super::strategies::Approach;
use crate::error::TaskError;
use crate::held_out::HeldOutAnswers;
use crate::task::{Strategy, TaskData, TaskSpec};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ssft_data::random::{Stream, generator};
use ssft_data::record::{Record, Trace};
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// Name of the task, and prefix of question ids.
pub(super) const NAME: &str = "maze";
/// Hardest difficulty: 7 x 7 cells.
pub(super) const MAX_DIFFICULTY: u8 = 3;
/// Cells per side at difficulty d are this number plus d.
const BASE_SIZE: usize = 4;
/// Fewest moves of the shortest path.
const LEAST_MOVES: usize = 4;
/// Longest trace in bytes, by difficulty.
const MOST_BYTES: [usize; 3] = [90, 130, 180];
/// Mazes drawn per requested question, before generation stops.
const TRIES: usize = 200;
/// Fewest and most walls removed from the spanning tree.
const LOOPS: RangeInclusive<usize> = 2..=3;

/// The place of a record: a test question with held-out ends, any other test question, or a training question.
#[derive(Clone, Copy)]
enum Part {
    Held,
    Unseen,
    Train,
}

/// Generates both splits from one random number generator with the seed of `spec`.
pub(super) fn make(spec: &TaskSpec) -> Result<TaskData, TaskError> {
    if !(1..=MAX_DIFFICULTY).contains(&spec.difficulty) {
        return Err(TaskError::Difficulty { task: NAME, asked: spec.difficulty, max: MAX_DIFFICULTY });
    }
    let mut rng = generator(spec.seed, Stream::Task { name: NAME });
    let size = BASE_SIZE + usize::from(spec.difficulty);
    let cells = (size * size) as u64;
    let held_out = HeldOutAnswers::draw(cells * cells - 1, &mut rng);
    let mut parts = Parts::new(spec);
    let asked = spec.train.saturating_add(spec.test);
    for _ in 0..asked.saturating_mul(TRIES) {
        if parts.missing() == 0 {
            break;
        }
        let maze = draw(size, &mut rng);
        parts.offer(&maze, &held_out, spec.difficulty, &mut rng);
    }
    if parts.missing() > 0 {
        let available = asked - parts.missing();
        return Err(TaskError::TooMany { task: NAME, asked, available, difficulty: spec.difficulty });
    }
    let [mut test, unseen, train] = parts.records;
    test.extend(unseen);
    test.shuffle(&mut rng);
    Ok(TaskData { train, test })
}

/// The accepted records, by [`Part`].
struct Parts {
    /// Number of records still missing.
    wanted: [usize; 3],
    records: [Vec<Record>; 3],
    /// Walls of the accepted mazes.
    known: HashSet<Vec<(usize, usize)>>,
}

impl Parts {
    fn new(spec: &TaskSpec) -> Self {
        let held = spec.test / 2;
        let wanted = [held, spec.test - held, spec.train];
        Self { wanted, records: Default::default(), known: HashSet::new() }
    }

    fn missing(&self) -> usize {
        self.wanted.iter().sum()
    }

    /// Adds the record of `maze`, if its part has room, its walls are new and [`record`] accepts it.
    fn offer(&mut self, maze: &Maze, held_out: &HeldOutAnswers, difficulty: u8, rng: &mut ChaCha8Rng) {
        let is_held = held_out.contains((maze.start() * maze.cells() + maze.goal()) as u64);
        let part = match is_held {
            true => Part::Held,
            false if self.wanted[Part::Unseen as usize] > 0 => Part::Unseen,
            false => Part::Train,
        } as usize;
        if self.wanted[part] == 0 || self.known.contains(&maze.passages()) {
            return;
        }
        if let Some(record) = record(maze, MOST_BYTES[usize::from(difficulty) - 1], rng) {
            self.known.insert(maze.passages());
            self.wanted[part] -= 1;
            self.records[part].push(record);
        }
    }
}

/// A random maze: a spanning tree with two or three additional walls removed, a random start and a different goal.
fn draw(size: usize, rng: &mut ChaCha8Rng) -> Maze {
    let cells = size * size;
    let start = rng.random_range(0..cells);
    let goal = (start + rng.random_range(1..cells)) % cells;
    let mut maze = Maze::walled(size, start, goal);
    // Each wall once, from its northern or western cell.
    let walls = (0..cells).flat_map(|cell| [(cell, Direction::East), (cell, Direction::South)]);
    let mut walls: Vec<_> = walls.filter(|&(cell, side)| maze.beyond(cell, side).is_some()).collect();
    walls.shuffle(rng);
    // Kruskal's algorithm: a wall between two components is removed, a wall within one stays.
    let mut component: Vec<usize> = (0..cells).collect();
    let mut standing = Vec::new();
    for (cell, side) in walls {
        let Some(other) = maze.beyond(cell, side) else { continue };
        let (kept, merged) = (component[cell], component[other]);
        if kept == merged {
            standing.push((cell, side));
        } else {
            component.iter_mut().filter(|id| **id == merged).for_each(|id| *id = kept);
            maze.open(cell, side);
        }
    }
    let loops = rng.random_range(LOOPS);
    standing.into_iter().take(loops).for_each(|(cell, side)| maze.open(cell, side));
    maze
}

/// The question with its four traces in random order; `None` if the shortest path is too short, a trace is longer than
/// `most_bytes`, or a trace is not classified as its own strategy.
fn record(maze: &Maze, most_bytes: usize, rng: &mut ChaCha8Rng) -> Option<Record> {
    let moves = Approach::Breadth.search(maze)?.path.len() - 1;
    if moves < LEAST_MOVES {
        return None;
    }
    let question = maze.to_string();
    let mut approaches = Approach::ALL;
    approaches.shuffle(rng);
    let trace = |approach: Approach| {
        let text = approach.trace(maze)?;
        let shown = classify::strategy(&question, &text) == Strategy::Named(approach.index());
        (shown && text.len() <= most_bytes).then(|| Trace { source: approach.name().to_owned(), text })
    };
    let traces: Vec<Trace> = approaches.into_iter().map(trace).collect::<Option<_>>()?;
    Some(Record {
        id: format!("{NAME}-{}", question.trim_end_matches(':')),
        question: Some(question),
        messages: None,
        traces,
        answer: Some(moves.to_string()),
    })
}
