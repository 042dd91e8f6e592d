//! Makes the records of both splits.

use super::classify;
use super::grid::{Direction, Maze};
use super::strategies::Approach;
use crate::held_out::HeldOutAnswers;
use crate::error::TaskError;
use crate::task::{Strategy, TaskData, TaskSpec};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ssft_data::record::{Record, Trace};
use std::collections::HashSet;

/// The hardest level: 7 x 7 cells.
pub(super) const MAX_DIFFICULTY: u8 = 3;
/// Cells of a side at the easiest level, less one.
const SMALLEST: usize = 4;
/// Moves of the shortest path at least: a shorter one leaves nothing to search.
const LEAST_MOVES: usize = 4;
/// Bytes of a trace at most, by level.
const MOST_BYTES: [usize; 3] = [90, 130, 180];
/// Mazes drawn for each one wanted, before the level counts as used up.
const TRIES: usize = 200;

/// Generates both splits; one random number generator, seeded once, decides everything.
pub(super) fn make(spec: &TaskSpec) -> Result<TaskData, TaskError> {
    if !(1..=MAX_DIFFICULTY).contains(&spec.difficulty) {
        return Err(TaskError::Difficulty { task: NAME, asked: spec.difficulty, max: MAX_DIFFICULTY });
    }
    let mut rng = ChaCha8Rng::seed_from_u64(spec.seed);
    let size = SMALLEST + usize::from(spec.difficulty);
    let cells = (size * size) as u64;
    let held_out = HeldOutAnswers::draw(cells * cells - 1, &mut rng);
    // Half of the test questions go from a held-out start to its goal.
    let mut wanted = [spec.test / 2, spec.test - spec.test / 2, spec.train];
    let (mut splits, mut known): ([Vec<Record>; 3], _) = (Default::default(), HashSet::new());
    let asked = spec.train.saturating_add(spec.test);
    for _ in 0..asked.saturating_mul(TRIES) {
        if wanted == [0; 3] {
            break;
        }
        let maze = draw(size, &mut rng);
        let is_held = held_out.contains((maze.start() * maze.cells() + maze.goal()) as u64);
        let split = match is_held {
            true => 0,
            false if wanted[1] > 0 => 1,
            false => 2,
        };
        if wanted[split] == 0 || known.contains(&maze.passages()) {
            continue;
        }
        if let Some(record) = record(&maze, MOST_BYTES[usize::from(spec.difficulty) - 1], &mut rng) {
            known.insert(maze.passages());
            wanted[split] -= 1;
            splits[split].push(record);
        }
    }
    if wanted != [0; 3] {
        let available = asked - wanted.iter().sum::<usize>();
        return Err(TaskError::TooMany { task: NAME, asked, available, difficulty: spec.difficulty });
    }
    let [mut held, unseen, train] = splits;
    held.extend(unseen);
    held.shuffle(&mut rng);
    Ok(TaskData { train, test: held })
}

/// A random spanning tree with two or three more walls taken away, a random start and another goal.
fn draw(size: usize, rng: &mut ChaCha8Rng) -> Maze {
    let cells = size * size;
    let start = rng.random_range(0..cells);
    let goal = (start + rng.random_range(1..cells)) % cells;
    let mut maze = Maze::walled(size, start, goal);
    // Every wall once, from its northern or western side.
    let walls = (0..cells).flat_map(|cell| [(cell, Direction::East), (cell, Direction::South)]);
    let mut walls: Vec<_> = walls.filter(|&(cell, side)| maze.beyond(cell, side).is_some()).collect();
    walls.shuffle(rng);
    // Kruskal: a wall between two parts goes, one inside a part stays.
    let mut part: Vec<usize> = (0..cells).collect();
    let mut standing = Vec::new();
    for (cell, side) in walls {
        let Some(other) = maze.beyond(cell, side) else { continue };
        let (ours, theirs) = (part[cell], part[other]);
        if ours == theirs {
            standing.push((cell, side));
        } else {
            part.iter_mut().filter(|part| **part == theirs).for_each(|part| *part = ours);
            maze.open(cell, side);
        }
    }
    let loops = rng.random_range(2..=3);
    standing.into_iter().take(loops).for_each(|(cell, side)| maze.open(cell, side));
    maze
}

/// The question with its four traces in random order; `None` if it is too easy, a trace is too long, or one does not
/// show its strategy.
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
