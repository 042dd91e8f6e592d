//! From a configuration to what a run works on: questions, tokenizer, model.

use crate::config::{Origin, Resolved, RunConfig};
use crate::exit::Failure;
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ssft_data::dataset::{Limits, check_forks, read_records};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::error::DataError;
use ssft_data::forks::{ForkLead, ForkTable};
use ssft_data::model_files::template_of;
use ssft_data::record::Record;
use ssft_data::tasks::{self, Task, TaskSpec};
use ssft_data::template::{Template, messages_of};
use ssft_data::tokenizer::Tokenizer;
use ssft_decode::answer::Judge;
use ssft_decode::format::AnswerFormat;
use ssft_model::checkpoint::{from_safetensors, load};
use ssft_model::{Decoder, DecoderConfig};
use std::fs;
use std::path::Path;

/// Questions with the encoder that made them.
#[derive(Debug)]
pub struct Questions {
    /// What to learn from, as token ids.
    pub train: Vec<EncodedQuestion>,
    /// Held out.
    pub eval: Vec<Record>,
    /// Who decides whether a held-out answer is right.
    pub judge: Judge,
    /// Text to ids.
    pub encoder: Encoder,
    /// The text around the forking token.
    pub lead: ForkLead,
}

/// A model directory in memory.
#[derive(Debug)]
pub struct LoadedModel {
    /// The weights.
    pub model: Decoder,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// Its chat template.
    pub template: Template,
    /// Its forks, if it was trained with any.
    pub forks: Option<ForkTable>,
}

/// The built-in task called `name`.
///
/// # Errors
/// [`Failure::Usage`] names the tasks there are.
pub fn task(name: &str) -> Result<&'static dyn Task, Failure> {
    tasks::by_name(name).ok_or_else(|| {
        let known: Vec<&str> = tasks::all().iter().map(|task| task.name()).collect();
        Failure::Usage(format!("there is no task \"{name}\"; built in: {}", known.join(", ")))
    })
}

/// Reads a model directory or a checkpoint, and puts the weights on `device`.
///
/// # Errors
/// [`Failure::Usage`] names the file that is missing or damaged.
pub fn load_model(directory: &Path, device: &Device) -> Result<LoadedModel, Failure> {
    let located = |error: &dyn std::fmt::Display| Failure::Usage(format!("{}: {error}", directory.display()));
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read(&path).map_err(|error| {
            Failure::Usage(format!("{}: cannot be read ({error}); give a model directory", path.display()))
        })
    };
    let damaged = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "{}: {error}; it is damaged: give another model, or remove this checkpoint to resume from an earlier one",
            directory.display()
        ))
    };
    let optional = |name: &str| fs::read(directory.join(name)).ok();
    let json = serde_json::from_slice(&read("config.json")?)
        .map_err(|error| damaged(&format!("config.json: {error}")))?;
    let config = DecoderConfig::from_hugging_face(&json).map_err(|error| located(&error))?;
    let tokenizer_config = optional("tokenizer_config.json");
    let tokenizer = Tokenizer::from_json(&read("tokenizer.json")?, tokenizer_config.as_deref())
        .map_err(|error| located(&error))?;
    let jinja = optional("chat_template.jinja").and_then(|bytes| String::from_utf8(bytes).ok());
    let template =
        template_of(tokenizer_config.as_deref(), jinja.as_deref()).map_err(|error| located(&error))?;
    let forks = optional("forks.json").map(|bytes| ForkTable::from_json("forks.json", &bytes));
    let forks = forks.transpose().map_err(|error| located(&error))?;
    let weights = from_safetensors(&read("model.safetensors")?).map_err(|error| damaged(&error))?;
    let model = load(&config, weights, device).map_err(|error| located(&error))?;
    Ok(LoadedModel { model, tokenizer, template: template.unwrap_or_else(Template::plain), forks })
}

/// The questions of a run, and the model it starts from if there is one at `start` (a model directory or a
/// checkpoint) rather than random weights.
///
/// # Errors
/// [`Failure::Usage`] for data that cannot be used, with its place.
pub fn questions(
    resolved: &Resolved,
    start: Option<&Path>,
    device: &Device,
) -> Result<(Questions, Option<Decoder>), Failure> {
    let config = &resolved.config;
    let (train, eval, judge) = records(config)?;
    let loaded = start.map(|directory| load_model(directory, device)).transpose()?;
    let forks = loaded.as_ref().map_or(config.forks, |loaded| loaded.tokenizer.forks().len());
    if forks > 0 {
        check_forks(&train, forks).map_err(|error| in_file(config, &error))?;
    }
    let (encoder, lead, model) = match loaded {
        Some(loaded) => from_model(loaded, resolved)?,
        None => {
            let learned = config.data.is_some().then_some(config.vocab_size);
            let all: Vec<&Record> = train.iter().chain(&eval).collect();
            let (encoder, lead) = fresh_encoder(&all, learned, config.forks, config.context)?;
            (encoder, lead, None)
        }
    };
    let train = encoder.encode_all(&train).map_err(|error| in_file(config, &error))?;
    // Held-out questions are checked now, not after an hour of training.
    encoder.encode_all(&eval).map_err(|error| in_file(config, &error))?;
    Ok((Questions { train, eval, judge, encoder, lead }, model))
}

/// What is wrong with a question of the run, with the file it came from.
fn in_file(config: &RunConfig, error: &DataError) -> Failure {
    match &config.data {
        Some(path) => Failure::Usage(format!("{}: {error}", path.display())),
        None => Failure::usage(error),
    }
}

/// The questions of a run to learn from, those held out, and who judges them.
///
/// # Errors
/// [`Failure::Usage`] for data that cannot be used, with its place.
pub fn records(config: &RunConfig) -> Result<(Vec<Record>, Vec<Record>, Judge), Failure> {
    if let Some(path) = &config.data {
        let records = read_records(path, &Limits::default()).map_err(Failure::usage)?;
        let (train, eval) = set_aside(records, config);
        return Ok((train, eval, Judge::Reference(config.answers)));
    }
    let task = task(config.task.as_deref().unwrap_or_default())?;
    let spec = TaskSpec {
        train: config.train_questions,
        test: config.eval_questions,
        difficulty: config.difficulty,
        seed: config.seed,
    };
    let made = task.make(&spec).map_err(Failure::usage)?;
    Ok((made.train, made.test, Judge::Task(task)))
}

/// Holds questions out of a user's data: as many as asked for, but at most a tenth, and only those whose traces
/// end in their answer, since nobody could judge the others.
fn set_aside(records: Vec<Record>, config: &RunConfig) -> (Vec<Record>, Vec<Record>) {
    let mut judged: Vec<usize> =
        (0..records.len()).filter(|&index| judgeable(&records[index], config.answers)).collect();
    judged.shuffle(&mut ChaCha8Rng::seed_from_u64(config.seed));
    judged.truncate(config.eval_questions.min(records.len() / 10));
    let (mut train, mut eval) = (Vec::new(), Vec::new());
    for (index, record) in records.into_iter().enumerate() {
        if judged.contains(&index) { eval.push(record) } else { train.push(record) }
    }
    (train, eval)
}

fn judgeable(record: &Record, format: AnswerFormat) -> bool {
    record.traces.iter().any(|trace| Judge::Reference(format).judge(record, &trace.text).correct)
}

fn from_model(
    loaded: LoadedModel,
    resolved: &Resolved,
) -> Result<(Encoder, ForkLead, Option<Decoder>), Failure> {
    let config = &resolved.config;
    let there = loaded.tokenizer.forks().len();
    let asked = resolved.origins.get("forks").is_some_and(|origin| *origin != Origin::Default);
    if there == 0 || (asked && there != config.forks) {
        let forks = config.forks;
        return Err(Failure::Usage(format!(
            "--model has {there} forking tokens, not {forks}; give a model trained with --forks {forks}"
        )));
    }
    let lead = loaded.forks.map_or_else(ForkLead::bare, |forks| forks.lead);
    let context = config.context.min(loaded.model.config().max_position_embeddings);
    let encoder = Encoder::new(loaded.tokenizer, loaded.template, &lead, context).map_err(Failure::usage)?;
    Ok((encoder, lead, Some(loaded.model)))
}

/// The encoder of a model that starts from random weights: single bytes, or byte-level pieces `learned` from a
/// user's data up to a vocabulary of that size; plain text where all questions are text, ChatML where one is a chat.
///
/// # Errors
/// [`Failure::Usage`] if the vocabulary is too small.
pub fn fresh_encoder(
    records: &[&Record],
    learned: Option<usize>,
    forks: usize,
    context: usize,
) -> Result<(Encoder, ForkLead), Failure> {
    let tokenizer = match learned {
        Some(vocabulary) => {
            let texts: Vec<&str> = records.iter().copied().flat_map(texts_of).collect();
            Tokenizer::train_bytes(&texts, vocabulary, forks)
        }
        None => Tokenizer::bytes(forks),
    };
    let chat = records.iter().any(|record| record.messages.is_some());
    let template = if chat { Template::chatml().map_err(Failure::usage)? } else { Template::plain() };
    let lead = if chat { ForkLead::chat() } else { ForkLead::bare() };
    let tokenizer = tokenizer.map_err(Failure::usage)?;
    let encoder = Encoder::new(tokenizer, template, &lead, context).map_err(Failure::usage)?;
    Ok((encoder, lead))
}

fn texts_of(record: &Record) -> impl Iterator<Item = &str> {
    let messages = record.messages.iter().flatten().map(|message| message.content.as_str());
    let traces = record.traces.iter().map(|trace| trace.text.as_str());
    record.question.as_deref().into_iter().chain(messages).chain(traces)
}

/// The text of a question as people read it.
pub fn question_text(record: &Record) -> String {
    messages_of(record).iter().map(|message| message.content.as_str()).collect::<Vec<_>>().join("\n")
}
