//! Verification of a trace: the claimed path and the log before it.

use super::grid::Maze;
use super::search::Walk;
use crate::claim::split_answer;
use crate::task::Verdict;

/// The verdict on `trace` as an answer to `question`.
pub(super) fn verdict(question: &str, trace: &str) -> Verdict {
    let (log, claim) = split_answer(trace);
    let maze = Maze::parse(question);
    let path = maze.as_ref().zip(claim).and_then(|(maze, claim)| maze.cells_of(claim));
    let answer_correct = maze.as_ref().zip(path.as_deref()).is_some_and(|(maze, path)| is_path(maze, path));
    // A claim that is not a sequence of cells, such as a number, has no path length.
    let answer = path.filter(|path| !path.is_empty()).map(|path| (path.len() - 1).to_string());
    let steps_correct = answer_correct && maze.is_some_and(|maze| is_log(&maze, log));
    Verdict { answer, answer_correct, steps_correct }
}

/// Whether the cells are a path from start to goal by open steps without a repeated cell.
fn is_path(maze: &Maze, path: &[usize]) -> bool {
    let mut seen = vec![false; maze.cells()];
    let new = path.iter().all(|&cell| !std::mem::replace(&mut seen[cell], true));
    let open = path.windows(2).all(|step| maze.is_open(step[0], step[1]));
    new && open && path.first() == Some(&maze.start()) && path.last() == Some(&maze.goal())
}

/// Whether the log is a correct walk or discovery.
fn is_log(maze: &Maze, log: &str) -> bool {
    let groups: Option<Vec<Vec<usize>>> = log.split(',').map(|group| maze.cells_of(group)).collect();
    match groups.as_deref() {
        Some([walk]) => is_walk(maze, walk) || is_discovery(maze, std::slice::from_ref(walk)),
        Some(groups) => is_discovery(maze, groups),
        None => false,
    }
}

/// Whether the cells are a walk from start to goal by open steps that enters a cell again only on its way back.
fn is_walk(maze: &Maze, cells: &[usize]) -> bool {
    let Some((first, rest)) = cells.split_first() else { return false };
    let mut walk = Walk::new(maze);
    for &cell in rest {
        if !walk.allows(cell) {
            return false;
        }
        walk.go(cell);
    }
    *first == maze.start() && walk.way.last() == Some(&maze.goal())
}

/// Whether the groups are a discovery from start or goal: each is a discovered cell and its undiscovered neighbors, and
/// the other end is discovered.
fn is_discovery(maze: &Maze, groups: &[Vec<usize>]) -> bool {
    let Some(&from) = groups.first().and_then(|group| group.first()) else { return false };
    let mut seen = vec![false; maze.cells()];
    seen[from] = true;
    let holds = groups.iter().all(|group| {
        let Some((&cell, found)) = group.split_first() else { return false };
        let known = seen[cell] && !found.is_empty();
        known
            && found
                .iter()
                .all(|&other| maze.is_open(cell, other) && !std::mem::replace(&mut seen[other], true))
    });
    let to = if from == maze.start() { maze.goal() } else { maze.start() };
    holds && seen[to] && (from == maze.start() || from == maze.goal())
}
