//! The searches of the four strategies. Each returns `None` if it does not reach the target.

use super::guide::{Guide, Heuristic, Move, moves_of_pair};
use super::numbers::Numbers;
use super::question::Question;
use super::step::{Operator, Step};

/// A search that reached the target.
#[derive(Debug)]
pub(super) struct Found {
    /// Logged steps, one group per attempt or per level of the beam.
    pub(super) groups: Vec<Vec<Step>>,
    /// The steps from the given numbers to the target, in order of evaluation.
    pub(super) way: Vec<Step>,
}

/// Depth-first search with restarts: attempt k takes the k-th best first step, then the best steps.
pub(super) fn depth_first(question: &Question, heuristic: Heuristic, attempts: usize) -> Option<Found> {
    let guide = Guide::new(heuristic, question.target);
    let mut groups = Vec::new();
    for first in guide.ranked(&question.numbers).into_iter().take(attempts) {
        let mut way = vec![first.step];
        let mut left = first.left;
        while let Some(next) = guide.best(&left) {
            way.push(next.step);
            left = next.left;
        }
        groups.push(way.clone());
        if left.single() == Some(question.target) {
            return Some(Found { groups, way });
        }
    }
    None
}

/// One state of the beam and the steps that lead to it.
#[derive(Clone)]
struct Line {
    way: Vec<Step>,
    left: Numbers,
}

impl Line {
    fn extended(&self, next: &Move) -> Self {
        Self { way: [self.way.as_slice(), &[next.step]].concat(), left: next.left }
    }
}

/// Breadth-first search. Level 1 has the best step of each pair of neighbors, with the given numbers in a ring. Each
/// further level extends every state by its best step and drops states with equal numbers. The last level stops at the
/// target.
pub(super) fn beam(question: &Question) -> Option<Found> {
    let guide = Guide::new(Heuristic::SumOrProduct, question.target);
    let start = Line { way: Vec::new(), left: question.numbers };
    let values = question.numbers.as_slice();
    let pairs = values.windows(2).map(|pair| (pair[1], pair[0]));
    let ring = pairs.chain(values.last().copied().zip(values.first().copied()));
    let first = ring.filter_map(|(left, right)| guide.best_of(moves_of_pair(&start.left, left, right)));
    let mut lines: Vec<_> = first.map(|next| start.extended(&next)).collect();
    let mut groups = vec![last_steps(&lines)];
    while lines.first()?.left.len() > 1 {
        let next = lines.iter().filter_map(|line| Some(line.extended(&guide.best(&line.left)?)));
        lines = kept(next, question.target);
        groups.push(last_steps(&lines));
    }
    let hit = lines.pop().filter(|line| line.left.single() == Some(question.target))?;
    Some(Found { groups, way: hit.way })
}

/// The lines with different numbers, up to the first that has reached the target.
fn kept(lines: impl Iterator<Item = Line>, target: u64) -> Vec<Line> {
    let mut kept: Vec<Line> = Vec::new();
    for line in lines {
        if kept.iter().any(|known| known.left == line.left) {
            continue;
        }
        let is_hit = line.left.single() == Some(target);
        kept.push(line);
        if is_hit {
            break;
        }
    }
    kept
}

fn last_steps(lines: &[Line]) -> Vec<Step> {
    lines.iter().filter_map(|line| line.way.last().copied()).collect()
}

/// Search from the target backward. Attempt k first undoes the step that leaves the k-th smallest open number, then
/// those that leave the smallest. With two given numbers left, the attempt ends with their equation, or without one if
/// none holds.
pub(super) fn backward(question: &Question, attempts: usize) -> Option<Found> {
    let mut groups = Vec::new();
    for first in undoings(question.target, &question.numbers).into_iter().take(attempts) {
        let mut undone = vec![first.step];
        let Undoing { mut open, mut left, .. } = first;
        while left.len() > 2 {
            let next = undoings(open, &left).into_iter().next()?;
            undone.push(next.step);
            (open, left) = (next.open, next.left);
        }
        let last = equation(open, &left);
        undone.extend(last);
        groups.push(undone.clone());
        if last.is_some() {
            undone.reverse();
            return Some(Found { groups, way: undone });
        }
    }
    None
}

/// A possible last step of a computation.
struct Undoing {
    step: Step,
    /// The operand still to be reached.
    open: u64,
    /// The given numbers left to reach it.
    left: Numbers,
}

/// All undoings of `target` by one of the given `numbers`, the smallest open number first.
fn undoings(target: u64, numbers: &Numbers) -> Vec<Undoing> {
    let mut givens = numbers.as_slice().to_vec();
    givens.dedup();
    let mut undoings: Vec<_> = givens
        .into_iter()
        .filter_map(|given| Some((given, numbers.without(given)?)))
        .flat_map(|(given, left)| {
            undoings_by(target, given).map(move |(open, step)| Undoing { step, open, left })
        })
        .collect();
    undoings.sort_by_key(|undoing| undoing.open);
    undoings
}

/// The open number and the step of each undoing of `target` by `given`.
fn undoings_by(target: u64, given: u64) -> impl Iterator<Item = (u64, Step)> {
    use Operator::{Add, Divide, Multiply, Subtract};
    let before = |operator, open: Option<u64>| open.map(|open| (open, open, operator, given));
    let behind = |operator, open: Option<u64>| open.map(|open| (open, given, operator, open));
    let undoings = [
        before(Add, Subtract.apply(target, given)),
        before(Multiply, Divide.apply(target, given)),
        before(Subtract, Add.apply(target, given)),
        behind(Subtract, Subtract.apply(given, target)),
        before(Divide, Multiply.apply(target, given)),
        behind(Divide, Divide.apply(given, target)),
    ];
    let with_step =
        move |(open, left, operator, right)| (open, Step { left, operator, right, result: target });
    undoings.into_iter().flatten().map(with_step)
}

/// The equation that combines two numbers, the larger one on the left, into `result`.
fn equation(result: u64, numbers: &Numbers) -> Option<Step> {
    let [right, left] = numbers.as_slice() else { return None };
    let operator =
        Operator::ALL.into_iter().find(|operator| operator.apply(*left, *right) == Some(result))?;
    Some(Step { left: *left, operator, right: *right, result })
}
