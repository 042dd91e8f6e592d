//! `train`: the whole run, from settings to report.

use crate::args::{DtypeChoice, TrainArgs};
use crate::config::{Resolved, RunConfig};
use crate::device::NamedDevice;
use crate::exit::Failure;
use crate::interrupts::Interrupts;
use crate::prepare::{Prepared, prepare};
use crate::run::Run;
use crate::session::{Session, Voice};
use ssft_data::words::counted;

pub fn train(args: &TrainArgs) -> Result<(), Failure> {
    let stem = stem(args)?;
    let out = args.out.as_deref();
    let run = if args.resume { Run::reopen(out, &stem)? } else { Run::create(out, &stem)? };
    let file = if args.resume { Some(run.file("config.toml")) } else { args.config.clone() };
    let mut resolved = Resolved::new(args, file.as_deref())?;
    let started = args.resume.then(|| Resolved::new(&TrainArgs::default(), file.as_deref())).transpose()?;
    let started = started.map(|started| started.config);
    if let Some(started) = &started {
        check_unchanged(started, &resolved.config)?;
        // Checkpoints are f32; the file remembers what the model was.
        if resolved.config.dtype == DtypeChoice::Auto {
            resolved.config.dtype = started.dtype;
        }
    }
    let device = resolved.config.device.open()?;
    let checkpoint = if args.resume { run.newest_checkpoint()? } else { None };
    let checkpoint = checkpoint.as_ref().map(|(_, path)| path);
    let prepared = prepare(&mut resolved, &device, checkpoint)?;
    // A resumed run keeps its file, and with it the origin of each value, unless a flag changed something.
    if started.as_ref() != Some(&resolved.config) {
        run.write("config.toml", resolved.to_toml().as_bytes())?;
    }
    let voice = Voice { quiet: args.quiet || args.json };
    introduce(&voice, &resolved.config, &device, &prepared, &run);
    // Before, there is nothing to save.
    let interrupts = Interrupts::of_run()?;
    let mut session = Session::new(resolved.config, prepared, run, voice, interrupts)?;
    session.steps()?;
    let evaluation = session.finish()?;
    session.conclude(args.json, evaluation)
}

/// Settings that shaped the model and its tokenizer: a resumed run takes both from its checkpoint.
fn check_unchanged(started: &RunConfig, asked: &RunConfig) -> Result<(), Failure> {
    let pairs = [
        ("--preset", started.preset == asked.preset),
        ("--model", started.model == asked.model),
        ("--template", started.template == asked.template),
        ("--date", started.date == asked.date),
        ("--fork-lead", started.fork_lead == asked.fork_lead),
        ("--fork-init", started.fork_init == asked.fork_init),
        ("--context", started.context == asked.context),
        ("--vocab-size", started.vocab_size == asked.vocab_size),
        ("--forks", started.forks == asked.forks),
    ];
    match pairs.iter().find(|(_, same)| !same) {
        Some((flag, _)) => {
            Err(Failure::Usage(format!("the run was started with another {flag}; leave it out to resume")))
        }
        None => Ok(()),
    }
}

/// What the run is called when nobody names it.
fn stem(args: &TrainArgs) -> Result<String, Failure> {
    let config = Resolved::new(args, args.config.as_deref())?.config;
    let data = match (&config.data, &config.task) {
        (Some(path), _) => {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
        (None, task) => task.clone().unwrap_or_default(),
    };
    Ok(format!("{data}-{}", config.method.name()))
}

/// Tells what is about to happen.
fn introduce(voice: &Voice, config: &RunConfig, device: &NamedDevice, prepared: &Prepared, run: &Run) {
    let Prepared { questions, trainer, steps, start, .. } = prepared;
    let data = match &config.data {
        Some(path) => path.display().to_string(),
        None => format!("{}, difficulty {}", config.task.as_deref().unwrap_or_default(), config.difficulty),
    };
    let parameters = trainer.model().config().parameters() as f64 / 1e6;
    let forks = questions.encoder.tokenizer().forks().len();
    voice.say(&format!("device   {}", device.name));
    voice.say(&format!(
        "data     {data}: {}, {} held out",
        counted(questions.train.len(), "question"),
        questions.eval.len()
    ));
    voice.say(&format!(
        "model    {parameters:.2} M parameters, {} tokens in the vocabulary",
        questions.encoder.tokenizer().vocab_size()
    ));
    voice.say(&format!(
        "method   {}: {forks} forks, matching on {} tokens, {} questions x {} a step, {steps} steps, seed {}",
        config.method.name(),
        config.match_tokens,
        config.batch_questions,
        config.accumulate,
        config.seed
    ));
    voice.say(&format!("run      {} (every setting in config.toml)", run.directory().display()));
    if trainer.steps_done() > 0 {
        voice.say(&format!("resumed  after step {}", trainer.steps_done()));
    }
    start.iter().for_each(|line| voice.say(line));
}
