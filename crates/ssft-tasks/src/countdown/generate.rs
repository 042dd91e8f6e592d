//! Generation of the records of both splits.

use super::canonical::Canonical;
use super::level::{Level, NAME};
use super::question::Question;
use super::strategies::{Approach, Solution};
use crate::error::TaskError;
use crate::held_out::HeldOutAnswers;
use crate::task::{TaskData, TaskSpec};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ssft_data::random::{Stream, generator};
use ssft_data::record::{Record, Trace};

/// Most candidates examined: all of levels 1 to 3, a part of level 4.
const MOST_TRIES: u32 = 800_000;

/// Generates both splits from one random number generator with the seed of `spec`.
pub(super) fn make(spec: &TaskSpec) -> Result<TaskData, TaskError> {
    let level = Level::of(spec.difficulty)?;
    let mut rng = generator(spec.seed, Stream::Task { name: NAME });
    let held_out = HeldOutAnswers::draw(level.largest_target(), &mut rng);
    let found = Found::search(spec, level, &held_out, &mut rng);
    let (train, test) = found.divide(spec)?;
    Ok(TaskData { train: records(train, &mut rng), test: records(test, &mut rng) })
}

/// A question and its solutions, in the order of the strategies.
struct Solved {
    question: Question,
    solutions: [Solution; 4],
}

/// Accepted questions, in the order drawn.
#[derive(Default)]
struct Found {
    /// Questions with a held-out target.
    held: Vec<Solved>,
    /// Questions with any other target.
    open: Vec<Solved>,
}

impl Found {
    /// Examines the candidates of the level in random order, until half of the test questions can have held-out targets
    /// and all others open targets, or until the candidates or [`MOST_TRIES`] are exhausted.
    fn search(spec: &TaskSpec, level: &Level, held_out: &HeldOutAnswers, rng: &mut ChaCha8Rng) -> Self {
        let mut found = Self::default();
        let enough_held = spec.test / 2;
        let enough_open = spec.train.saturating_add(spec.test - enough_held);
        let (most_held, most_open) = (spec.test, spec.train.saturating_add(spec.test));
        let candidates = level.candidates();
        let mut order: Vec<_> = (0..candidates.len()).collect();
        for at in 0..order.len().min(MOST_TRIES as usize) {
            if found.held.len() >= enough_held && found.open.len() >= enough_open {
                break;
            }
            let drawn = rng.random_range(at..order.len());
            order.swap(at, drawn);
            let question = candidates.question(order[at]);
            let (kind, most) = match held_out.contains(question.target) {
                true => (&mut found.held, most_held),
                false => (&mut found.open, most_open),
            };
            if kind.len() < most
                && let Some(solutions) = level.solve(&question)
            {
                kind.push(Solved { question, solutions });
            }
        }
        found
    }

    /// Divides the questions into training and test. Half of the test questions have held-out targets; if one kind has
    /// too few, the other fills up.
    fn divide(mut self, spec: &TaskSpec) -> Result<(Vec<Solved>, Vec<Solved>), TaskError> {
        let (held, open) = (self.held.len(), self.open.len());
        let spare = open.checked_sub(spec.train).filter(|spare| *spare >= spec.test.saturating_sub(held));
        let Some(spare) = spare else {
            return Err(TaskError::TooMany {
                task: NAME,
                asked: spec.train.saturating_add(spec.test),
                available: open + held.min(spec.test),
                difficulty: spec.difficulty,
            });
        };
        let from_held = (spec.test / 2).min(held).max(spec.test.saturating_sub(spare));
        let mut test: Vec<_> = self.open.drain(..spec.test - from_held).collect();
        test.extend(self.held.into_iter().take(from_held));
        self.open.truncate(spec.train);
        Ok((self.open, test))
    }
}

/// Records in random order, which mixes the kinds of targets.
fn records(mut questions: Vec<Solved>, rng: &mut ChaCha8Rng) -> Vec<Record> {
    questions.shuffle(rng);
    questions.into_iter().map(|solved| record(solved, rng)).collect()
}

/// One question with its four traces in random order, so that the position does not reveal the strategy.
fn record(Solved { question, solutions }: Solved, rng: &mut ChaCha8Rng) -> Record {
    let answer = Canonical::new(&solutions[Approach::Sum.index()].answer).text;
    let named = Approach::ALL.into_iter().zip(solutions);
    let trace = |(approach, solution): (Approach, Solution)| Trace {
        source: approach.name().to_owned(),
        text: solution.trace,
    };
    let mut traces: Vec<_> = named.map(trace).collect();
    traces.shuffle(rng);
    let text = question.to_string();
    Record {
        id: format!("{NAME}-{}", text.trim_end_matches(':')),
        question: Some(text),
        messages: None,
        traces,
        answer: Some(answer),
    }
}
