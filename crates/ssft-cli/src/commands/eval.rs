//! `eval`: what the forks of a trained model can do.

use crate::args::EvalArgs;
use crate::config::RunConfig;
use crate::evaluation::{Asked, EvaluationFile, answer_format};
use crate::exit::{Failure, say};
use crate::files::{check_target, write_result};
use crate::limits::check_count;
use crate::progress;
use crate::setup;
use crate::table;
use crate::trained::{Found, Trained, data_of};
use ssft_data::dataset::{Limits, read_records};
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::record::Record;
use ssft_data::template::messages_of;
use ssft_data::words::counted;
use ssft_decode::answer::Judge;
use ssft_decode::choice::ForkChoice;
use ssft_decode::evaluate::{Protocol, default_ks, evaluate, longest_answer};
use ssft_tasks::TaskSpec;
use ssft_train::fingerprint::fingerprint;
use std::collections::HashSet;
use std::path::Path;

pub fn eval(args: &EvalArgs) -> Result<(), Failure> {
    let sampling = args.who.sampling.at(args.temperature)?;
    check(args)?;
    check_target(args.json.as_deref())?;
    let device = args.who.device.open()?;
    let found = Found::at(&args.who.model)?;
    let Questions { records, like, judge, asked } = questions(args, found.run.as_ref())?;
    let trained = found.load(setup::any_chat(&records), &device)?;
    let Trained { model, encoder, forks, directory, .. } = trained;
    for record in &records {
        // A prompt without room for an answer, before any is given.
        encoder.prompt(&record.id, &messages_of(record)).map_err(|error| in_file(&asked, &error))?;
    }
    let chosen = args.who.fork.forks(&forks).map_err(|error| Failure::Usage(format!("--fork: {error}")))?;
    // At a temperature of 0 every draw is the greedy answer.
    let samples = if sampling.is_greedy() { 0 } else { args.samples };
    let max_tokens = match args.max_tokens {
        Some(tokens) => tokens,
        None => longest_answer(trace_tokens(&like, &encoder)?.into_iter(), &encoder),
    };
    let ks = if args.k.is_empty() { default_ks(chosen.len(), samples) } else { args.k.clone() };
    let most = chosen.len() * samples.max(1);
    if let Some(k) = ks.iter().find(|&&k| k == 0 || k > most) {
        let more = if sampling.is_greedy() { "a --temperature above 0" } else { "more --samples" };
        return Err(Failure::Usage(format!(
            "--k is {k}, but {} forks x {} answers are {most}; give 1 to {most}, or {more}",
            chosen.len(),
            samples.max(1)
        )));
    }
    // Whether a model has seen the questions of a file or of another task, nobody here knows.
    let is_held_out = args.data.is_none() && args.task.is_none();
    if is_held_out {
        check_same_data(&args.who.model, &encoder, &like)?;
    }
    let asked_for = if is_held_out { "held-out questions" } else { "questions" };
    let left_out = forks.forks.len() - forks.trained_forks().len();
    if !args.quiet {
        say(&format!("device   {}", device.name));
        say(&format!("model    {}", directory.display()));
        say(&format!("ask      {}: {}", asked.name(), counted(records.len(), "question")));
        if left_out > 0 && args.who.fork == ForkChoice::All {
            say(&format!(
                "forks    training never used {left_out} of {}; they are not asked",
                forks.forks.len()
            ));
        }
    }
    let protocol = Protocol {
        forks: chosen,
        samples,
        sampling,
        rows: args.rows,
        max_tokens,
        judge,
        chosen_fork: forks.chosen_fork,
        ks,
        seed: args.who.seed,
    };
    let bar = progress::bar(args.quiet, "{bar:24} {pos}/{len} questions  {eta} left", Some(records.len()));
    // Decoding reads every weight once a token.
    let model = model.prepared();
    let work = evaluate(&model, &encoder, &records, &protocol, |done| bar.set_position(done as u64));
    let evaluation = pollster::block_on(work).map_err(Failure::run)?;
    bar.finish_and_clear();
    let file = EvaluationFile::new(&directory, asked, &protocol, evaluation);
    // First the file: whoever reads the table may stop listening.
    let written = match &args.json {
        Some(path) => file.to_json().and_then(|text| write_result(path, &text)),
        None => Ok(()),
    };
    if !args.quiet {
        println!("{}", table::evaluation(&file.evaluation, asked_for));
    }
    written
}

fn check(args: &EvalArgs) -> Result<(), Failure> {
    let (questions, tokens) = (args.questions.unwrap_or(1), args.max_tokens.unwrap_or(1));
    check_count("--samples", args.samples, 0)?;
    check_count("--rows", args.rows, 1)?;
    check_count("--questions", questions, 1)?;
    check_count("--max-tokens", tokens, 1)
}

/// What to ask.
struct Questions {
    records: Vec<Record>,
    /// Questions whose traces say how long an answer may be.
    like: Vec<Record>,
    judge: Judge,
    asked: Asked,
}

fn questions(args: &EvalArgs, run: Option<&RunConfig>) -> Result<Questions, Failure> {
    let Questions { mut records, like, judge, asked } = match (&args.data, &args.task, run) {
        (Some(path), _, _) => {
            let records = read_records(path, &Limits::default()).map_err(Failure::usage)?;
            if let Some(record) = records.iter().find(|record| record.answer.is_none()) {
                let (name, id) = (path.display(), &record.id);
                return Err(Failure::Usage(format!(
                    "{name}: question {id} has no answer to compare with; add one"
                )));
            }
            let judge = Judge::Reference(answer_format(args.answers, run));
            Questions { like: records.clone(), records, judge, asked: Asked::data(path) }
        }
        (None, Some(name), _) => {
            let test = args.questions.unwrap_or(RunConfig::default().eval_questions);
            let spec = TaskSpec { train: 0, test, difficulty: args.difficulty, seed: args.who.seed };
            let task = setup::task(name)?;
            let mut records = task.make(&spec).map_err(Failure::usage)?.test;
            if let Some(run) = run.filter(|run| run.task.as_ref() == Some(name)) {
                // Another split may hold out what the run has learned.
                let (learned, ..) = setup::records(run)?;
                let learned: HashSet<Option<String>> =
                    learned.into_iter().map(|record| record.question).collect();
                let made = records.len();
                records.retain(|record| !learned.contains(&record.question));
                if records.is_empty() {
                    return Err(Failure::Usage(format!(
                        "the run was trained on all {made} questions; give more --questions or another --difficulty"
                    )));
                }
                if records.len() < made && !args.quiet {
                    say(&format!("left out {} questions that the run was trained on", made - records.len()));
                }
            }
            let asked = Asked::task(name, args.difficulty);
            Questions { like: records.clone(), records, judge: Judge::Task(task), asked }
        }
        (None, None, Some(run)) => {
            let (like, records, judge) = setup::records(run)?;
            Questions { records, like, judge, asked: Asked::held_out(run) }
        }
        (None, None, None) => {
            return Err(Failure::Usage(
                "the model belongs to no run that would know its questions; give --task or --data".to_owned(),
            ));
        }
    };
    if let Some(count) = args.questions.filter(|_| args.task.is_none()) {
        if count > records.len() {
            let there = records.len();
            return Err(Failure::Usage(format!(
                "--questions is {count}, but there are {there}; give at most that"
            )));
        }
        records.truncate(count);
    }
    if records.is_empty() {
        return Err(Failure::Usage("there is no question to ask; give --task or --data".to_owned()));
    }
    Ok(Questions { records, like, judge, asked })
}

/// What is wrong with a question, with the file it came from.
fn in_file(asked: &Asked, error: &DataError) -> Failure {
    match &asked.data {
        Some(name) => Failure::Usage(format!("{name}: {error}")),
        None => Failure::usage(error),
    }
}

/// Of other data other questions were held out, and the run may have learned those that seem to be now.
fn check_same_data(place: &Path, encoder: &Encoder, learned: &[Record]) -> Result<(), Failure> {
    let Some(data) = data_of(place)? else {
        say("the run has no checkpoint that would tell whether its data is still the same");
        return Ok(());
    };
    // What cannot be encoded was not learned.
    let same = encoder.encode_all(learned).is_ok_and(|learned| fingerprint(&learned) == data);
    if same {
        return Ok(());
    }
    Err(Failure::Usage(
        "the data is not what the run was started with, so that nobody knows what it held out; bring that back, or ask other questions with --data or --task"
            .to_owned(),
    ))
}

/// How long each trace is, its end included. A trace may be too long to learn: only prompts are read here.
fn trace_tokens(records: &[Record], encoder: &Encoder) -> Result<Vec<usize>, Failure> {
    let traces = records.iter().flat_map(|record| &record.traces);
    let tokens = traces.map(|trace| encoder.tokenizer().encode_text(&trace.text));
    tokens.map(|tokens| tokens.map(|tokens| tokens.len() + 1).map_err(Failure::usage)).collect()
}
