//! Everything that a run needs before its first step: questions, a model, the trainer around it.

use crate::config::{Resolved, RunConfig};
use crate::day;
use crate::device::NamedDevice;
use crate::exit::Failure;
use crate::run::restore;
use crate::setup::{self, Questions};
use ssft_data::words::counted;
use ssft_model::config::Preset;
use ssft_model::directory::{Carried, LoadedModel};
use ssft_model::trained::Trained;
use ssft_model::{Decoder, DecoderConfig, Precision};
use ssft_train::{AdamWSettings, Schedule, Settings, Trainer};
use std::path::PathBuf;

/// All that a run works with.
pub struct Prepared {
    /// Those to learn from and those held out.
    pub questions: Questions,
    /// With the model and what it has learned so far.
    pub trainer: Trainer,
    /// How many there will be in all.
    pub steps: usize,
    /// Files of the model that the run starts from.
    pub carried: Carried,
    /// What there is to say about that model.
    pub start: Option<String>,
}

/// Makes everything ready, and writes into `resolved` what only a look at model and memory could tell.
///
/// # Errors
/// [`Failure::Usage`] for data, a model, a checkpoint or settings that cannot be used.
pub fn prepare(
    resolved: &mut Resolved,
    device: &NamedDevice,
    checkpoint: Option<&PathBuf>,
) -> Result<Prepared, Failure> {
    let autodiff = device.device.clone().autodiff();
    let from = checkpoint.map(PathBuf::as_path).or(resolved.config.model.as_deref());
    // One day for the whole run, whenever it is resumed.
    resolved.config.date.get_or_insert_with(day::today);
    let fits = |shape: &DecoderConfig| device.check_fits(shape);
    let (questions, given) = setup::questions(resolved, from, &autodiff, &fits)?;
    let stored = given.as_ref().map_or(Precision::F32, |given| given.precision);
    let start = given.as_ref().and_then(new_rows);
    let (model, carried) = match given {
        Some(given) => (given.model, given.side.carried),
        None => (fresh(&resolved.config, &questions, &autodiff), Carried::default()),
    };
    let config = &mut resolved.config;
    // A model brings its own number of forks and its own room, and the run is to be repeated and resumed with that.
    config.forks = questions.encoder.tokenizer().forks().len();
    config.context = questions.encoder.context();
    config.date = config.date.take().filter(|_| day::matters_to(questions.encoder.template()));
    config.dtype = config.dtype.precision(stored).into();
    // Another cut of the passes would round differently when the run is resumed.
    let budget = *config.memory_budget.get_or_insert_with(|| device.memory_budget(model.config()));
    let config = &resolved.config;
    let per_step = config.batch_questions * config.accumulate;
    let steps = match (config.steps, config.epochs) {
        (_, Some(epochs)) => {
            ((epochs * questions.train.len() as f64 / per_step as f64).ceil() as usize).max(1)
        }
        (steps, None) => steps.unwrap_or(1),
    };
    let leads = (0..config.forks).map(|fork| questions.encoder.lead(fork)).collect();
    let mut trainer = Trainer::new(model, leads, &questions.train, settings(config, steps, budget));
    if let Some(directory) = checkpoint {
        restore(&mut trainer, directory)?;
    }
    if trainer.steps_done() > steps {
        let done = trainer.steps_done();
        return Err(Failure::Usage(format!(
            "the run is already at step {done}; give --steps {done} or more"
        )));
    }
    Ok(Prepared { questions, trainer, steps, carried, start })
}

/// What was done to a model without enough forking tokens, for people.
fn new_rows(loaded: &LoadedModel) -> Option<String> {
    let (new, name) = loaded.side.added()?;
    let (before, after) = (loaded.side.shape.vocab_size, loaded.model.config().vocab_size);
    let rows = match before == after {
        true => format!("in spare rows of the {before} there are"),
        false => format!("the vocabulary grows from {before} to {after} rows"),
    };
    let tokens = counted(new.ids.len(), "new token");
    Some(format!("forks    {tokens}, each starting near {name}; {rows}"))
}

fn fresh(config: &RunConfig, questions: &Questions, device: &burn::tensor::Device) -> Decoder {
    let vocabulary = questions.encoder.tokenizer().vocab_size();
    let mut shape = DecoderConfig::preset(config.preset.unwrap_or(Preset::Tiny), vocabulary);
    shape.max_position_embeddings = config.context;
    Decoder::init(&shape, config.seed, device)
}

/// What a trainer is told; `budget` is in MiB.
fn settings(config: &RunConfig, steps: usize, budget: usize) -> Settings {
    Settings {
        method: config.method,
        match_tokens: config.match_tokens,
        matching: config.matching,
        batch_questions: config.batch_questions,
        accumulate: config.accumulate,
        memory_budget: (budget as u64) << 20,
        trained: Trained::All,
        schedule: Schedule {
            peak: config.lr,
            warmup_steps: config.warmup_steps,
            steps,
            shape: config.schedule,
        },
        adamw: AdamWSettings {
            weight_decay: config.weight_decay,
            clip_norm: config.clip_norm,
            ..AdamWSettings::default()
        },
        seed: config.seed,
    }
}
