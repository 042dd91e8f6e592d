//! Generation of the records of both splits.

use super::pool::Pool;
use super::question::{Operator, Question};
use super::split::Quota;
use super::strategies::Approach;
use crate::error::TaskError;
use crate::held_out::HeldOutAnswers;
use crate::task::{TaskData, TaskSpec};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ssft_data::random::{Stream, generator};
use ssft_data::record::{Record, Trace};
use std::collections::HashSet;

/// Name of the task, and prefix of question ids.
pub(super) const NAME: &str = "arithmetic";

/// Hardest difficulty: numbers of five digits.
pub(super) const MAX_DIFFICULTY: u8 = 4;

/// Generates both splits from one random number generator with the seed of `spec`.
pub(super) fn make(spec: &TaskSpec) -> Result<TaskData, TaskError> {
    if !(1..=MAX_DIFFICULTY).contains(&spec.difficulty) {
        return Err(TaskError::Difficulty { task: NAME, asked: spec.difficulty, max: MAX_DIFFICULTY });
    }
    let mut rng = generator(spec.seed, Stream::Task { name: NAME });
    let pools = [Operator::Add, Operator::Multiply]
        .map(|operator| Pool::new(operator, u32::from(spec.difficulty) + 1));
    let largest = pools.iter().map(Pool::largest_answer).max().unwrap_or(0);
    let held_out = HeldOutAnswers::draw(largest, &mut rng);
    let quotas = quotas(spec, &pools, &held_out)?;
    let mut split = Split::default();
    for (pool, quota) in pools.into_iter().zip(quotas) {
        split.fill(pool, quota, &held_out, &mut rng);
    }
    Ok(TaskData { train: records(split.train, &mut rng), test: records(split.test, &mut rng) })
}

fn quotas(spec: &TaskSpec, pools: &[Pool; 2], held_out: &HeldOutAnswers) -> Result<[Quota; 2], TaskError> {
    let supplies = pools.map(|pool| pool.supply(held_out));
    // `usize` has at most 64 bits; a larger supply is cut to the range of a 32-bit `usize`.
    Quota::divide(spec.train as u64, spec.test as u64, supplies).map_err(|available| TaskError::TooMany {
        task: NAME,
        asked: spec.train.saturating_add(spec.test),
        available: usize::try_from(available).unwrap_or(usize::MAX),
        difficulty: spec.difficulty,
    })
}

/// Questions of both splits, in the order drawn.
#[derive(Default)]
struct Split {
    train: Vec<Question>,
    test: Vec<Question>,
}

impl Split {
    /// Draws questions from the pool until the quota is met; no quota exceeds its supply. Test questions are drawn first.
    fn fill(&mut self, pool: Pool, mut quota: Quota, held_out: &HeldOutAnswers, rng: &mut ChaCha8Rng) {
        let mut taken = HashSet::new();
        for question in pool.shuffled(rng) {
            if quota.is_met() {
                return;
            }
            if taken.contains(&(question.right, question.left)) {
                continue;
            }
            let is_held = held_out.contains(question.answer());
            let (wanted, split) = match is_held {
                true => (&mut quota.held, &mut self.test),
                false if quota.unseen > 0 => (&mut quota.unseen, &mut self.test),
                false => (&mut quota.train, &mut self.train),
            };
            if *wanted > 0 {
                *wanted -= 1;
                split.push(question);
                taken.insert((question.left, question.right));
            }
        }
    }
}

/// Records in random order, which mixes operators and kinds of answers.
fn records(mut questions: Vec<Question>, rng: &mut ChaCha8Rng) -> Vec<Record> {
    questions.shuffle(rng);
    questions.iter().map(|question| record(question, rng)).collect()
}

/// One question with its four traces in random order, so that the position does not reveal the strategy.
fn record(question: &Question, rng: &mut ChaCha8Rng) -> Record {
    let mut approaches = Approach::ALL;
    approaches.shuffle(rng);
    let trace =
        |approach: Approach| Trace { source: approach.name().to_owned(), text: approach.trace(question) };
    let text = question.to_string();
    Record {
        id: format!("{NAME}-{}", text.trim_end_matches('=')),
        question: Some(text),
        messages: None,
        traces: approaches.map(trace).into(),
        answer: Some(question.answer().to_string()),
    }
}
