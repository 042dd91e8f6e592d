//! `generate`: answers of all forks of a trained model to one prompt, and their vote.

use super::asking::{answer_format, check_count};
use crate::args::GenerateArgs;
use crate::exit::Failure;
use crate::live::Live;
use crate::voice::Voice;
use ssft_decode::answer::Judge;
use ssft_decode::fork::Piece;
use ssft_decode::generation::{Request, Votes, generate as answer};
use ssft_run::store::{Found, Trained};
use ssft_run::{QuestionForm, task};
use std::ops::ControlFlow;

pub fn generate(args: &GenerateArgs) -> Result<(), Failure> {
    let sampling = args.who.sampling.at(args.temperature)?;
    check(args)?;
    let device = args.who.device.open()?;
    let trained = Found::at(&args.who.model)?.load(QuestionForm::Text, &device)?;
    let judge = judge(args, &trained)?;
    let Trained { model, encoder, forks, .. } = trained;
    let asked = args.who.fork.forks(&forks).map_err(|error| Failure::Usage(format!("--fork: {error}")))?;
    let prompt = encoder.prompt_text("--prompt", &args.prompt).map_err(Failure::usage)?;
    let mut live = (!args.json).then(|| Live::new(&asked, Voice::new(args.quiet)));
    let listen = async |piece: Piece<'_>| {
        if let Some(live) = &mut live {
            live.hear(piece.row, piece.text, piece.finish);
        }
        ControlFlow::Continue(())
    };
    let request = Request {
        prompt: args.prompt.clone(),
        forks: asked,
        sampling,
        stop: args.stop.clone(),
        max_tokens: args.max_tokens,
        judge,
        seed: args.who.seed,
    };
    // Decoding reads all weights for each token, so their layout is changed once before.
    let model = model.prepared();
    let answers = pollster::block_on(answer(&model, &encoder, prompt, &request, listen));
    let answers = answers.map_err(Failure::run)?;
    match live {
        Some(live) => live.end(&conclusion(answers.vote.as_ref(), answers.forks.len())),
        None => println!("{}", serde_json::to_string(&answers).map_err(Failure::run)?),
    }
    Ok(())
}

fn check(args: &GenerateArgs) -> Result<(), Failure> {
    check_count("--max-tokens", args.max_tokens, 1)?;
    if args.stop.iter().any(String::is_empty) {
        return Err(Failure::Usage("--stop is empty; give the text that ends an answer".to_owned()));
    }
    if args.prompt.is_empty() {
        return Err(Failure::Usage("--prompt is empty; give a question".to_owned()));
    }
    Ok(())
}

/// Judge of the answers: the task of the model's run, or the form of answers given by `--answers`.
fn judge(args: &GenerateArgs, trained: &Trained) -> Result<Judge, Failure> {
    let run = trained.run.as_ref();
    let own = run.filter(|_| args.answers.is_none()).and_then(|run| run.task.as_deref());
    match own {
        Some(name) => Ok(Judge::Task(task(name)?)),
        None => Ok(Judge::Reference(answer_format(args.answers, run))),
    }
}

/// Line with the result of the vote; empty for one fork.
fn conclusion(vote: Option<&Votes>, forks: usize) -> String {
    match vote {
        _ if forks == 1 => String::new(),
        Some(vote) => format!("{:<9} {}, {} of {forks}", "vote", vote.answer, vote.votes),
        None => format!("{:<9} no fork gave an answer", "vote"),
    }
}
