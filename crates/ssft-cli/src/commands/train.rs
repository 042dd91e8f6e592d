//! `train`: the whole run, from settings to report.

use super::training::Training;
use crate::args::TrainArgs;
use crate::exit::{Failure, in_words};
use crate::interrupts::Interrupts;
use crate::voice::{Output, Voice};
use ssft_data::words::counted;
use ssft_run::device::NamedDevice;
use ssft_run::settings::{DtypeChoice, Settings};
use ssft_run::store::{RunDirectory, Start, absolute, prepare, read_settings, resolve, to_toml};
use std::path::Path;

pub fn train(args: &TrainArgs) -> Result<(), Failure> {
    // 1. The run's directory and settings.
    let flags = || args.settings.0.clone();
    let stem = stem(&resolve(args.config.as_deref(), flags())?.0);
    let out = args.out.as_deref();
    let run = if args.resume { RunDirectory::reopen(out, &stem)? } else { RunDirectory::create(out, &stem)? };
    let file = if args.resume { Some(run.file("config.toml")) } else { args.config.clone() };
    let (mut settings, layers) = resolve(file.as_deref(), flags())?;
    let started = if args.resume { Some(read_settings(&run.file("config.toml"))?) } else { None };
    if let Some(started) = &started {
        check_unchanged(started, &settings)?;
        // Checkpoints are f32; config.toml has the type of the model that training started from.
        if settings.dtype == DtypeChoice::Auto {
            settings.dtype = started.dtype;
        }
    }
    // 2. Questions, model, trainer.
    let device = settings.device.open()?;
    let checkpoint = if args.resume { run.newest_checkpoint()? } else { None };
    let checkpoint = checkpoint.as_ref().map(|(_, path)| path.as_path());
    let start = prepare(&mut settings, &layers, &device, checkpoint)?;
    // A resumed run keeps config.toml, with the origin of each value, unless a flag changes a setting.
    if started.as_ref() != Some(&settings) {
        run.write("config.toml", to_toml(&settings, &layers)?.as_bytes())?;
    }
    let voice = Voice::new(args.quiet || args.json);
    introduce(voice, &settings, &device, &start, &run);
    // 3. The loop. Ctrl-C is handled from here on, because there is nothing to save before.
    let interrupts = Interrupts::of_run()?;
    let mut training = Training::new(start, run, voice, interrupts)?;
    training.steps()?;
    // 4. Model, evaluation, report.
    let evaluation = training.finish()?;
    training.conclude(Output::new(args.json), evaluation)
}

/// Refuses changes of the settings that define the model and its tokenizer: a resumed run reads both from its checkpoint.
fn check_unchanged(started: &Settings, asked: &Settings) -> Result<(), Failure> {
    // A path may be written in several ways.
    let place = |path: &Path| path.canonicalize().unwrap_or_else(|_| absolute(path));
    let pairs = [
        ("--preset", started.preset == asked.preset),
        ("--model", started.model.as_deref().map(place) == asked.model.as_deref().map(place)),
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

/// Default name of a run: `TASK-METHOD` or `FILE-METHOD`.
fn stem(settings: &Settings) -> String {
    let data = match (&settings.data, &settings.task) {
        (Some(path), _) => {
            path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
        }
        (None, task) => task.clone().unwrap_or_default(),
    };
    format!("{data}-{}", settings.method.name())
}

/// Prints device, data, model, method and directory of the run.
fn introduce(voice: Voice, settings: &Settings, device: &NamedDevice, start: &Start, run: &RunDirectory) {
    let Start { course, text, notes } = start;
    let data = match &settings.data {
        Some(path) => path.display().to_string(),
        None => {
            format!("{}, difficulty {}", settings.task.as_deref().unwrap_or_default(), settings.difficulty)
        }
    };
    let parameters = course.trainer.model().config().parameters() as f64 / 1e6;
    let tokenizer = text.encoder.tokenizer();
    voice.say(&format!("device   {}", device.name));
    voice.say(&format!(
        "data     {data}: {}, {} held out",
        counted(course.questions.len(), "question"),
        course.held_out.len()
    ));
    voice.say(&format!(
        "model    {parameters:.2} M parameters, {} tokens in the vocabulary",
        tokenizer.vocab_size()
    ));
    voice.say(&format!(
        "method   {}: {} forks, matching on {} tokens, {} questions x {} a step, {} steps, seed {}",
        settings.method.name(),
        tokenizer.forks().len(),
        settings.match_tokens,
        settings.batch_questions,
        settings.accumulate,
        course.steps,
        settings.seed
    ));
    voice.say(&format!("run      {} (every setting in config.toml)", run.directory().display()));
    if course.trainer.steps_done() > 0 {
        voice.say(&format!("resumed  after step {}", course.trainer.steps_done()));
    }
    notes.iter().for_each(|line| voice.say(&in_words(line)));
}
