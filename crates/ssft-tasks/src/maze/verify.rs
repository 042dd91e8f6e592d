//! Checks a claimed path, and the log before it.

use super::grid::Maze;
use super::search::Walk;
use crate::task::Verdict;
use crate::claim::split_answer;

/// The verdict on `trace` as an answer to `question`.
pub(super) fn verdict(question: &str, trace: &str) -> Verdict {
    let (log, claim) = split_answer(trace);
    let maze = Maze::parse(question);
    let path = maze.as_ref().zip(claim).and_then(|(maze, claim)| maze.cells_of(claim));
    let answer_correct = maze.as_ref().zip(path.as_deref()).is_some_and(|(maze, path)| is_path(maze, path));
    // What is no sequence of cells, such as a bare number, has no length to vote with.
    let answer = path.filter(|path| !path.is_empty()).map(|path| (path.len() - 1).to_string());
    let steps_correct = answer_correct && maze.is_some_and(|maze| is_log(&maze, log));
    Verdict { answer, answer_correct, steps_correct }
}

/// Whether cells lead from start to goal by open steps, none of them twice.
fn is_path(maze: &Maze, path: &[usize]) -> bool {
    let mut seen = vec![false; maze.cells()];
    let new = path.iter().all(|&cell| !std::mem::replace(&mut seen[cell], true));
    let open = path.windows(2).all(|step| maze.is_open(step[0], step[1]));
    new && open && path.first() == Some(&maze.start()) && path.last() == Some(&maze.goal())
}

fn is_log(maze: &Maze, log: &str) -> bool {
    let groups: Option<Vec<Vec<usize>>> = log.split(',').map(|group| maze.cells_of(group)).collect();
    match groups.as_deref() {
        Some([walk]) => is_walk(maze, walk) || is_discovery(maze, std::slice::from_ref(walk)),
        Some(groups) => is_discovery(maze, groups),
        None => false,
    }
}

/// From the start to the goal, each step open; a cell comes again only by going back.
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

/// From one end: each group is a cell discovered before and its neighbours not discovered yet; at last the other end.
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
