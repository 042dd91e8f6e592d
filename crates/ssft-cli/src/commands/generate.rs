//! `generate`: the forks of a trained model answer a prompt, side by side.

use crate::args::GenerateArgs;
use crate::evaluation::answer_format;
use crate::exit::Failure;
use crate::limits::check_count;
use crate::live::Live;
use crate::setup;
use crate::trained::Trained;
use serde_json::json;
use ssft_data::record::Record;
use ssft_decode::answer::Judge;
use ssft_decode::fork::{Piece, Question, RowStart, Settings};
use ssft_decode::sample::row_generator;
use ssft_decode::vote::{Vote, majority};
use ssft_decode::{Continuation, decode};
use std::ops::ControlFlow;

pub fn generate(args: &GenerateArgs) -> Result<(), Failure> {
    let sampling = args.who.sampling.at(args.temperature)?;
    check_count("--max-tokens", args.max_tokens, 1)?;
    if args.stop.iter().any(String::is_empty) {
        return Err(Failure::Usage("--stop is empty; give the text that ends an answer".to_owned()));
    }
    if args.prompt.is_empty() {
        return Err(Failure::Usage("--prompt is empty; give a question".to_owned()));
    }
    let device = args.who.device.open()?;
    let trained = Trained::load(&args.who.model, &device)?;
    let judge = judge(args, &trained)?;
    let Trained { model, encoder, forks, .. } = trained;
    let asked = args.who.fork.forks(&forks).map_err(|error| Failure::Usage(format!("--fork: {error}")))?;
    let prompt = encoder.prompt_text("--prompt", &args.prompt).map_err(Failure::usage)?;
    let row = |&fork: &usize| RowStart {
        lead: encoder.lead(fork),
        rng: row_generator(args.who.seed, 0, fork as u32, 0),
    };
    let question = Question { prompt: prompt.clone(), rows: asked.iter().map(row).collect() };
    let settings = Settings {
        sampling,
        eos: vec![encoder.tokenizer().eos()],
        stop: args.stop.clone(),
        max_tokens: args.max_tokens,
    };
    let mut live = (!args.json).then(|| Live::new(&asked, args.quiet));
    let listen = async |piece: Piece<'_>| {
        if let Some(live) = &mut live {
            live.hear(piece.row, piece.text, piece.finish.is_some());
        }
        ControlFlow::Continue(())
    };
    // Decoding reads every weight once a token.
    let model = model.prepared();
    let answers = pollster::block_on(decode(&model, encoder.tokenizer(), &[question], &settings, listen))
        .map_err(Failure::run)?
        .remove(0);
    let record = Record {
        id: "--prompt".to_owned(),
        question: Some(args.prompt.clone()),
        messages: None,
        traces: Vec::new(),
        answer: None,
    };
    let claims: Vec<Option<String>> =
        answers.iter().map(|answer| judge.judge(&record, &answer.text).answer).collect();
    let vote = majority(claims.iter().map(Option::as_deref));
    match live {
        Some(live) => live.end(&conclusion(vote, asked.len())),
        None => print_json(args, &prompt, &asked, &answers, &claims, vote),
    }
    Ok(())
}

/// Who says what the answer of a text is: the task of the model's run, or the form that was asked for.
fn judge(args: &GenerateArgs, trained: &Trained) -> Result<Judge, Failure> {
    let run = trained.run.as_ref();
    let task = run.filter(|_| args.answers.is_none()).and_then(|run| run.task.as_deref());
    match task {
        Some(name) => Ok(Judge::Task(setup::task(name)?)),
        None => Ok(Judge::Reference(answer_format(args.answers, run))),
    }
}

/// One fork alone has nobody to vote with.
fn conclusion(vote: Option<Vote<'_>>, forks: usize) -> String {
    match vote {
        _ if forks == 1 => String::new(),
        Some(vote) => format!("{:<9} {}, {} of {forks}", "vote", vote.answer, vote.votes),
        None => format!("{:<9} no fork gave an answer", "vote"),
    }
}

fn print_json(
    args: &GenerateArgs,
    prompt: &[u32],
    asked: &[usize],
    answers: &[Continuation],
    claims: &[Option<String>],
    vote: Option<Vote<'_>>,
) {
    let forks: Vec<_> = (asked.iter().zip(answers).zip(claims))
        .map(|((fork, answer), claim)| {
            json!({
                "fork": fork + 1, "tokens": answer.tokens, "text": answer.text, "answer": claim,
                "finish": answer.finish, "logprob": answer.logprob,
            })
        })
        .collect();
    let vote = vote.map(|vote| json!({"answer": vote.answer, "votes": vote.votes}));
    println!("{}", json!({"prompt": args.prompt, "prompt_tokens": prompt, "forks": forks, "vote": vote}));
}
