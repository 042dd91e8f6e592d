//! Questions of a run: from a built-in task or a user's records, split into those to train on and those held out.

use crate::error::RunError;
use crate::settings::Settings;
use rand::seq::SliceRandom;
use ssft_data::random::{Stream, generator};
use ssft_data::record::Record;
use ssft_decode::{AnswerFormat, Judge};
use ssft_tasks::{Task, TaskSpec};
use std::collections::HashSet;

/// Records of a run, and who judges answers to them.
#[derive(Debug, Clone)]
pub struct Split {
    /// To train on.
    pub train: Vec<Record>,
    /// Held out for evaluation.
    pub held_out: Vec<Record>,
    /// Decides whether an answer to a held-out question is correct.
    pub judge: Judge,
}

/// Of a user's records at most one in this number is held out.
const LARGEST_SHARE: usize = 10;

/// The built-in task called `name`.
///
/// # Errors
/// [`RunError::Task`] lists the built-in tasks.
pub fn task(name: &str) -> Result<&'static dyn Task, RunError> {
    ssft_tasks::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = ssft_tasks::all().iter().map(|task| task.name()).collect();
        RunError::task(format!("there is no task \"{name}\"; built in: {}", known.join(", ")))
    })
}

impl Split {
    /// Questions of the built-in task that `settings` name.
    ///
    /// # Errors
    /// [`RunError::Task`] if there is no such task or level.
    pub fn of_task(settings: &Settings) -> Result<Self, RunError> {
        let task = task(settings.task.as_deref().unwrap_or_default())?;
        let spec = TaskSpec {
            train: settings.train_questions,
            test: settings.eval_questions,
            difficulty: settings.difficulty,
            seed: settings.seed,
        };
        let made = task.make(&spec).map_err(RunError::task)?;
        Ok(Self { train: made.train, held_out: made.test, judge: Judge::Task(task) })
    }

    /// A user's records, of which some are held out: `eval-questions`, at most a tenth, and only those with a trace that ends in
    /// the record's answer, because no other can be judged.
    pub fn of_records(records: Vec<Record>, settings: &Settings) -> Self {
        let judge = Judge::Reference(settings.answers);
        let judged = |&index: &usize| is_judgeable(&records[index], settings.answers);
        let mut held: Vec<usize> = (0..records.len()).filter(judged).collect();
        held.shuffle(&mut generator(settings.seed, Stream::HeldOut));
        held.truncate(settings.eval_questions.min(records.len() / LARGEST_SHARE));
        let held: HashSet<usize> = held.into_iter().collect();
        let (mut train, mut held_out) = (Vec::new(), Vec::new());
        for (index, record) in records.into_iter().enumerate() {
            if held.contains(&index) { held_out.push(record) } else { train.push(record) }
        }
        Self { train, held_out, judge }
    }

    /// All records, those held out last.
    pub fn all(&self) -> impl Iterator<Item = &Record> {
        self.train.iter().chain(&self.held_out)
    }
}

fn is_judgeable(record: &Record, format: AnswerFormat) -> bool {
    record.traces.iter().any(|trace| Judge::Reference(format).judge(record, &trace.text).correct)
}

/// Whether questions are plain text or chats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuestionForm {
    /// Every question is plain text.
    Text,
    /// At least one question is a list of chat messages.
    Chat,
}

impl QuestionForm {
    /// The form of `records`.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        match records.into_iter().any(|record| record.messages.is_some()) {
            true => Self::Chat,
            false => Self::Text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssft_data::record::Trace;

    fn record(id: usize, trace: &str) -> Record {
        Record {
            id: id.to_string(),
            question: Some("1+1=".to_owned()),
            messages: None,
            traces: vec![Trace { source: String::new(), text: trace.to_owned() }],
            answer: Some("2".to_owned()),
        }
    }

    #[test]
    fn only_judgeable_records_are_held_out_and_at_most_a_tenth() {
        let records: Vec<Record> =
            (0..40).map(|id| record(id, if id < 3 { "so #### 2" } else { "two" })).collect();
        let split = Split::of_records(records, &Settings::default());
        assert_eq!((split.train.len(), split.held_out.len()), (37, 3), "three can be judged");
        let records: Vec<Record> = (0..40).map(|id| record(id, "so #### 2")).collect();
        let split = Split::of_records(records, &Settings::default());
        assert_eq!((split.train.len(), split.held_out.len()), (36, 4), "a tenth of 40");
    }

    #[test]
    fn unknown_tasks_are_refused_by_name() {
        let settings = Settings { task: Some("sums".to_owned()), ..Settings::default() };
        let refused = Split::of_task(&settings).expect_err("no such task").to_string();
        assert_eq!(refused, "there is no task \"sums\"; built in: arithmetic, countdown, maze");
    }
}
