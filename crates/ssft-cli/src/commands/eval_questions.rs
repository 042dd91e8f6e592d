//! Questions of `eval`: from a file, from a built-in task, or the held-out questions of the model's run.

use super::asking::answer_format;
use crate::args::EvalArgs;
use crate::exit::{Failure, say};
use crate::voice::Voice;
use ssft_data::dataset::{Limits, read_records};
use ssft_data::encode::Encoder;
use ssft_data::record::Record;
use ssft_decode::answer::Judge;
use ssft_run::settings::Settings;
use ssft_run::store::trained::data_of;
use ssft_run::store::{Asked, split};
use ssft_run::{Split, task};
use ssft_tasks::TaskSpec;
use ssft_train::fingerprint::fingerprint;
use std::collections::HashSet;
use std::path::Path;

/// Questions to ask, and the judge of their answers.
pub struct Questions {
    /// Questions in the order in which they are asked.
    pub records: Vec<Record>,
    /// Records whose longest trace sets the largest number of tokens of an answer.
    pub like: Vec<Record>,
    /// Decides whether an answer is correct.
    pub judge: Judge,
    /// Origin of the questions, for the result file.
    pub of: Asked,
    /// True for the held-out questions of the model's run.
    pub are_held_out: bool,
    /// Training questions of the run, where the questions to ask depend on them.
    trained_on: Option<Vec<Record>>,
}

/// The questions that `args` select; `run` has the settings of the model's run.
///
/// # Errors
/// [`Failure::Usage`] if there are none, or fewer than `--questions`.
pub fn questions(args: &EvalArgs, run: Option<&Settings>, voice: Voice) -> Result<Questions, Failure> {
    let mut questions = match (&args.data, &args.task, run) {
        (Some(path), ..) => of_file(args, path, run)?,
        (None, Some(name), _) => of_task(args, name, run, voice)?,
        (None, None, Some(run)) => of_run(run)?,
        (None, None, None) => {
            return Err(Failure::Usage(
                "the model has no run directory with held-out questions; give --task or --data".to_owned(),
            ));
        }
    };
    let available = questions.records.len();
    if let Some(count) = args.questions.filter(|_| args.task.is_none()) {
        if count > available {
            return Err(Failure::Usage(format!(
                "--questions is {count}, but there are {available}; give at most that"
            )));
        }
        questions.records.truncate(count);
    }
    if questions.records.is_empty() {
        return Err(Failure::Usage("there is no question to ask; give --task or --data".to_owned()));
    }
    Ok(questions)
}

fn of_file(args: &EvalArgs, path: &Path, run: Option<&Settings>) -> Result<Questions, Failure> {
    let records = read_records(path, &Limits::default()).map_err(Failure::usage)?;
    if let Some(record) = records.iter().find(|record| record.answer.is_none()) {
        let (name, id) = (path.display(), &record.id);
        return Err(Failure::Usage(format!("{name}: question {id} has no answer to compare with; add one")));
    }
    Ok(Questions {
        like: records.clone(),
        records,
        judge: Judge::Reference(answer_format(args.answers, run)),
        of: Asked::data(path),
        are_held_out: false,
        trained_on: None,
    })
}

fn of_task(args: &EvalArgs, name: &str, run: Option<&Settings>, voice: Voice) -> Result<Questions, Failure> {
    let test = args.questions.unwrap_or(Settings::default().eval_questions);
    let spec = TaskSpec { train: 0, test, difficulty: args.difficulty, seed: args.who.seed };
    let task = task(name)?;
    let mut records = task.make(&spec).map_err(Failure::usage)?.test;
    let mut trained_on = None;
    if let Some(run) = run.filter(|run| run.task.as_deref() == Some(name)) {
        let trained = split(run)?.train;
        drop_trained(&mut records, &trained, voice)?;
        trained_on = Some(trained);
    }
    Ok(Questions {
        like: records.clone(),
        records,
        judge: Judge::Task(task),
        of: Asked::task(name, args.difficulty),
        are_held_out: false,
        trained_on,
    })
}

/// Removes questions that the run was trained on; they occur because another seed splits the task differently.
fn drop_trained(records: &mut Vec<Record>, trained: &[Record], voice: Voice) -> Result<(), Failure> {
    let trained: HashSet<&Option<String>> = trained.iter().map(|record| &record.question).collect();
    let made = records.len();
    records.retain(|record| !trained.contains(&record.question));
    if records.is_empty() {
        return Err(Failure::Usage(format!(
            "the run was trained on all {made} questions; give more --questions or another --difficulty"
        )));
    }
    if records.len() < made {
        voice.say(&format!("left out {} questions that the run was trained on", made - records.len()));
    }
    Ok(())
}

fn of_run(run: &Settings) -> Result<Questions, Failure> {
    if let Some(path) = run.data.as_deref().filter(|path| !path.exists()) {
        return Err(Failure::Usage(format!(
            "{}: no such file, and it has the held-out questions of the run; put it back, or give --task or --data",
            path.display()
        )));
    }
    let Split { train, held_out: records, judge } = split(run)?;
    let (of, trained_on) = (Asked::held_out(run), Some(train.clone()));
    Ok(Questions { records, like: train, judge, of, are_held_out: true, trained_on })
}

impl Questions {
    /// Refuses questions that were chosen by the training questions of the run at `place`, if those are others today: the run may
    /// have been trained on what is asked.
    ///
    /// # Errors
    /// [`Failure::Usage`] if the fingerprint of the data differs from that in the run's checkpoint.
    pub fn check_unchanged(&self, place: &Path, encoder: &Encoder) -> Result<(), Failure> {
        let Some(trained_on) = &self.trained_on else { return Ok(()) };
        let Some(data) = data_of(place)? else {
            say("the run has no checkpoint; whether its data has changed cannot be checked");
            return Ok(());
        };
        // Data that cannot be encoded is not the data of the run.
        let same = encoder.encode_all(trained_on).is_ok_and(|questions| fingerprint(&questions) == data);
        if same {
            return Ok(());
        }
        Err(Failure::Usage(
            "the data has changed since the run was started, and with it the questions that it was not trained on; restore it, or give --data or another --task"
                .to_owned(),
        ))
    }
}

/// Length of each trace in tokens, its end token included. A trace may be longer than a row, because no row is built from it.
///
/// # Errors
/// [`Failure::Usage`] if the tokenizer fails.
pub fn trace_tokens(records: &[Record], encoder: &Encoder) -> Result<Vec<usize>, Failure> {
    let traces = records.iter().flat_map(|record| &record.traces);
    let tokens = traces.map(|trace| encoder.tokenizer().encode_text(&trace.text));
    tokens.map(|tokens| tokens.map(|tokens| tokens.len() + 1).map_err(Failure::usage)).collect()
}
