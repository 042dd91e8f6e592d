//! `eval`: accuracy, votes and diversity of the forks of a trained model.

use super::asking::check_count;
use super::eval_questions::{Questions, questions, trace_tokens};
use crate::args::EvalArgs;
use crate::exit::Failure;
use crate::progress;
use crate::result_file::{check_target, write_result};
use crate::table;
use crate::voice::Voice;
use ssft_data::encode::Encoder;
use ssft_data::error::DataError;
use ssft_data::template::messages_of;
use ssft_data::words::counted;
use ssft_decode::Evaluation;
use ssft_decode::choice::ForkChoice;
use ssft_decode::evaluate::{Protocol, default_ks, evaluate, longest_answer};
use ssft_decode::sample::Sampling;
use ssft_model::{Decoder, DecoderConfig};
use ssft_run::QuestionForm;
use ssft_run::device::{NamedDevice, available_bytes};
use ssft_run::store::{EvaluationFile, Found, Trained};

pub fn eval(args: &EvalArgs) -> Result<(), Failure> {
    // 1. Arguments, questions, model.
    let sampling = args.who.sampling.at(args.temperature)?;
    check(args)?;
    check_target(args.json.as_deref())?;
    let voice = Voice::new(args.quiet);
    let device = args.who.device.open()?;
    let found = Found::at(&args.who.model)?;
    let asked = questions(args, found.run.as_ref(), voice)?;
    let trained = found.load(QuestionForm::of(&asked.records), &device)?;
    check_prompts(&trained, &asked)?;
    asked.check_unchanged(&args.who.model, &trained.encoder)?;
    let protocol = protocol(args, sampling, &trained, &asked)?;
    check_memory(&protocol, trained.model.config(), &device)?;
    introduce(voice, args, &device.name, &trained, &asked);
    // 2. Answers.
    let Trained { model, encoder, directory, .. } = trained;
    let evaluation = ask(voice, model, &encoder, &asked, &protocol)?;
    // 3. The file, then the table: a reader of the table may close the pipe.
    let questions = if asked.are_held_out { "held-out questions" } else { "questions" };
    let file = EvaluationFile::new(&directory, asked.of, &protocol, evaluation);
    let written = match &args.json {
        Some(path) => write_result(path, &file.to_json()?),
        None => Ok(()),
    };
    if voice == Voice::Normal {
        println!("{}", table::evaluation(&file.evaluation, questions));
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

/// Refuses a prompt that leaves no room for an answer, before any question is answered.
fn check_prompts(trained: &Trained, asked: &Questions) -> Result<(), Failure> {
    let in_file = |error: DataError| match &asked.of.data {
        Some(name) => Failure::usage(format!("{name}: {error}")),
        None => Failure::usage(error),
    };
    for record in &asked.records {
        trained.encoder.prompt(&record.id, &messages_of(record)).map_err(in_file)?;
    }
    Ok(())
}

fn protocol(
    args: &EvalArgs,
    sampling: Sampling,
    trained: &Trained,
    asked: &Questions,
) -> Result<Protocol, Failure> {
    let Trained { encoder, forks: table, .. } = trained;
    let forks = args.who.fork.forks(table).map_err(|error| Failure::Usage(format!("--fork: {error}")))?;
    // At a temperature of 0 every draw equals the greedy answer.
    let samples = if sampling.is_greedy() { 0 } else { args.samples };
    let max_tokens = match args.max_tokens {
        Some(tokens) => tokens,
        None => longest_answer(trace_tokens(&asked.like, encoder)?.into_iter(), encoder),
    };
    let ks = if args.k.is_empty() { default_ks(forks.len(), samples) } else { args.k.clone() };
    check_ks(&ks, forks.len(), samples.max(1), &sampling)?;
    Ok(Protocol {
        forks,
        samples,
        sampling,
        rows: args.rows,
        max_tokens,
        judge: asked.judge,
        chosen_fork: table.chosen_fork,
        ks,
        seed: args.who.seed,
    })
}

/// Refuses more drawn answers to a question than memory has room for: they are decoded together. The memory of a GPU is not known.
fn check_memory(protocol: &Protocol, model: &DecoderConfig, device: &NamedDevice) -> Result<(), Failure> {
    let needed = protocol.least_bytes(model);
    let free = available_bytes().filter(|&free| device.adapter.is_none() && needed > free);
    let Some(free) = free else { return Ok(()) };
    let (samples, forks, needed, free) = (protocol.samples, protocol.forks.len(), needed >> 20, free >> 20);
    Err(Failure::Usage(format!(
        "--samples is {samples}: the answers of {forks} forks to a question take {needed} MiB, {free} MiB are available; give fewer"
    )))
}

/// Refuses a k of 0 or above the number of answers to a question.
fn check_ks(ks: &[usize], forks: usize, answers: usize, sampling: &Sampling) -> Result<(), Failure> {
    let most = forks * answers;
    let Some(k) = ks.iter().find(|&&k| k == 0 || k > most) else { return Ok(()) };
    let more = if sampling.is_greedy() { "a --temperature above 0" } else { "more --samples" };
    Err(Failure::Usage(format!(
        "--k is {k}, but {forks} forks x {answers} answers are {most}; give 1 to {most}, or {more}"
    )))
}

fn introduce(voice: Voice, args: &EvalArgs, device: &str, trained: &Trained, asked: &Questions) {
    let Trained { forks, directory, .. } = trained;
    voice.say(&format!("device   {device}"));
    voice.say(&format!("model    {}", directory.display()));
    voice.say(&format!("ask      {}: {}", asked.of.name(), counted(asked.records.len(), "question")));
    let left_out = forks.forks.len() - forks.trained_forks().len();
    if left_out > 0 && args.who.fork == ForkChoice::All {
        let all = forks.forks.len();
        voice.say(&format!("forks    training never used {left_out} of {all}; they are not asked"));
    }
}

fn ask(
    voice: Voice,
    model: Decoder,
    encoder: &Encoder,
    asked: &Questions,
    protocol: &Protocol,
) -> Result<Evaluation, Failure> {
    let records = &asked.records;
    let bar = progress::bar(voice, "{bar:24} {pos}/{len} questions  {eta} left", Some(records.len()));
    // Decoding reads all weights for each token, so their layout is changed once before.
    let model = model.prepared();
    let work = evaluate(&model, encoder, records, protocol, |done| bar.set_position(done as u64));
    let evaluation = pollster::block_on(work).map_err(Failure::run)?;
    bar.finish_and_clear();
    Ok(evaluation)
}
