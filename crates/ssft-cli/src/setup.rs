//! From a configuration to what a run works on: questions, tokenizer, model.

use crate::args::{LeadChoice, TemplateChoice};
use crate::config::{Origin, Resolved, RunConfig};
use crate::day;
use crate::exit::Failure;
use crate::model_directory::ModelDirectory;
use burn::tensor::Device;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use ssft_data::dataset::{Limits, check_forks, read_records};
use ssft_data::encode::{EncodedQuestion, Encoder};
use ssft_data::error::DataError;
use ssft_data::forks::ForkLead;
use ssft_data::record::Record;
use ssft_data::template::{CHATML_OPENING, Template, messages_of};
use ssft_data::tokenizer::Tokenizer;
use ssft_decode::answer::Judge;
use ssft_decode::format::AnswerFormat;
use ssft_model::DecoderConfig;
use ssft_model::directory::LoadedModel;
use ssft_tasks::{self, Task, TaskSpec};
use std::collections::HashSet;
use std::fmt::Display;
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

/// The questions of a run, and the model it starts from if there is one at `start` (a model directory, a
/// checkpoint or a run) rather than random weights. `fits` refuses a shape before its weights are read.
///
/// # Errors
/// [`Failure::Usage`] for data or a model that cannot be used, with its place; what `fits` says.
pub fn questions(
    resolved: &Resolved,
    start: Option<&Path>,
    device: &Device,
    fits: &dyn Fn(&DecoderConfig) -> Result<(), Failure>,
) -> Result<(Questions, Option<LoadedModel>), Failure> {
    let config = &resolved.config;
    let (train, eval, judge) = records(config)?;
    // All that is wrong with the text comes before gigabytes of weights are read.
    let given = start.map(|directory| forked(resolved, directory)).transpose()?;
    let forks = given.as_ref().map_or(config.forks, |given| given.side.tokenizer.forks().len());
    check_forks(&train, forks).map_err(|error| in_file(config, &error))?;
    let (encoder, lead) = match &given {
        Some(given) => encoder_of(given, config, any_chat(train.iter().chain(&eval)))?,
        None => {
            let learned = config.data.is_some().then_some(config.vocab_size);
            let all: Vec<&Record> = train.iter().chain(&eval).collect();
            fresh_encoder(&all, learned, config)?
        }
    };
    let train = encoder.encode_all(&train).map_err(|error| in_file(config, &error))?;
    // Held-out questions are checked now, not after an hour of training.
    encoder.encode_all(&eval).map_err(|error| in_file(config, &error))?;
    given.as_ref().map_or(Ok(()), |given| fits(&given.side.grown_shape()))?;
    let model = given.map(|given| given.load(device)).transpose()?;
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
    let judged: HashSet<usize> = judged.into_iter().collect();
    let (mut train, mut eval) = (Vec::new(), Vec::new());
    for (index, record) in records.into_iter().enumerate() {
        if judged.contains(&index) { eval.push(record) } else { train.push(record) }
    }
    (train, eval)
}

fn judgeable(record: &Record, format: AnswerFormat) -> bool {
    record.traces.iter().any(|trace| Judge::Reference(format).judge(record, &trace.text).correct)
}

fn chat_lead(lead: &ForkLead) -> bool {
    lead.before.contains(CHATML_OPENING)
}

/// A model directory with the forking tokens that were asked for.
fn forked(resolved: &Resolved, place: &Path) -> Result<ModelDirectory, Failure> {
    let config = &resolved.config;
    let model = ModelDirectory::read(place)?;
    let name = model.directory.display().to_string();
    let room = model.side.shape.max_position_embeddings;
    let asked_context = resolved.origins.get("context").is_some_and(|origin| *origin != Origin::Default);
    if asked_context && config.context > room {
        return Err(Failure::Usage(format!(
            "--context is {}, but {name} has room for {room} tokens; give at most that",
            config.context
        )));
    }
    let asked = resolved.origins.get("forks").is_some_and(|origin| *origin != Origin::Default);
    let asked = asked.then_some(config.forks);
    // A resumed run has --fork-init in its file, and its tokens by now.
    let insists = resolved.origins.get("fork-init") == Some(&Origin::Flag);
    let there = model.side.tokenizer.forks().len();
    let init = config.fork_init.as_deref().filter(|_| insists || wanted_forks(there, asked) > there);
    with_wanted_forks(model, asked, init, config.seed)
}

/// How many forking tokens a model with so many gets: as many as are `asked` for, or else those it has, or else the usual
/// number.
fn wanted_forks(there: usize, asked: Option<usize>) -> usize {
    let usual = if there == 0 { RunConfig::default().forks } else { there };
    asked.unwrap_or(usual)
}

/// The model with as many forking tokens as are `asked` for, or else those it has, or else the usual number; new ones start
/// like the token `init`.
///
/// # Errors
/// [`Failure::Usage`] if the model has more, or not the token, or there is none to start like it.
pub fn with_wanted_forks(
    model: ModelDirectory,
    asked: Option<usize>,
    init: Option<&str>,
    seed: u64,
) -> Result<ModelDirectory, Failure> {
    let (name, there) = (model.directory.display(), model.side.tokenizer.forks().len());
    let wanted = wanted_forks(there, asked);
    if wanted < there {
        return Err(Failure::Usage(format!(
            "{name}: the model has {there} forking tokens, more than --forks {wanted}; leave out --forks to use them all"
        )));
    }
    if wanted == there && init.is_some() {
        return Err(Failure::Usage(format!(
            "{name}: the model has its {there} forking tokens already; leave out --fork-init, or ask for more --forks"
        )));
    }
    model.with_forks(wanted, init, seed)
}

/// The encoder of a model that came from somewhere, and the text around its forking tokens: what `config` asks for, or
/// else its own template (ChatML if it has none and there are `chats` to render) and, for a new model whose template is
/// ChatML's, the paper's chat form.
///
/// # Errors
/// [`Failure::Usage`] if the text around the forks cannot be encoded, or nothing says how a chat is to be rendered.
pub fn encoder_of(
    model: &ModelDirectory,
    config: &RunConfig,
    chats: bool,
) -> Result<(Encoder, ForkLead), Failure> {
    let ModelDirectory { directory, side } = model;
    let located = |error: &dyn Display| Failure::Usage(format!("{}: {error}", directory.display()));
    let speaks_chatml = side.tokenizer.token_id(CHATML_OPENING).is_some();
    let template = match (config.template, &side.template) {
        (TemplateChoice::Auto, Some(own)) => Template::new(own).map_err(|error| located(&error))?,
        (TemplateChoice::Auto, None) if chats && !speaks_chatml => {
            return Err(located(
                &"the model has no chat template, but there are chats (\"messages\"); --template plain joins their messages without roles",
            ));
        }
        (TemplateChoice::Auto, None) if chats => Template::chatml().map_err(Failure::usage)?,
        (TemplateChoice::Auto, None) | (TemplateChoice::Plain, _) => Template::plain(),
        (TemplateChoice::Chatml, _) => Template::chatml().map_err(Failure::usage)?,
    };
    let template = template.on(day::parse(&config.date.clone().unwrap_or_else(day::today))?);
    let chat = !template.is_plain() && speaks_chatml;
    let lead = match (config.fork_lead, &side.forks) {
        (LeadChoice::Auto, Some(forks)) => forks.lead.clone(),
        (choice, _) => choice.lead(chat),
    };
    if (chat_lead(&lead) || config.template == TemplateChoice::Chatml) && !speaks_chatml {
        return Err(located(&format!(
            "the tokenizer has no {CHATML_OPENING}, which --template chatml and --fork-lead chat write; use auto, plain or bare"
        )));
    }
    let context = config.context.min(side.shape.max_position_embeddings);
    let encoder = Encoder::new(side.tokenizer.clone(), template, &lead, context).map_err(Failure::usage)?;
    Ok((encoder, lead))
}

/// The encoder of a model that starts from random weights: single bytes, or byte-level pieces `learned` from a
/// user's data up to a vocabulary of that size; plain text where all questions are text, ChatML where one is a chat.
///
/// # Errors
/// [`Failure::Usage`] if the vocabulary is too small.
pub fn fresh_encoder(
    records: &[&Record],
    learned: Option<usize>,
    config: &RunConfig,
) -> Result<(Encoder, ForkLead), Failure> {
    let tokenizer = match learned {
        Some(vocabulary) => {
            let texts: Vec<&str> = records.iter().copied().flat_map(texts_of).collect();
            Tokenizer::train_bytes(&texts, vocabulary, config.forks)
        }
        None => Tokenizer::bytes(config.forks),
    };
    let chat = match config.template {
        TemplateChoice::Auto => any_chat(records.iter().copied()),
        choice => choice == TemplateChoice::Chatml,
    };
    let template = if chat { Template::chatml().map_err(Failure::usage)? } else { Template::plain() };
    let lead = config.fork_lead.lead(chat);
    let tokenizer = tokenizer.map_err(Failure::usage)?;
    let encoder = Encoder::new(tokenizer, template, &lead, config.context).map_err(Failure::usage)?;
    Ok((encoder, lead))
}

/// Whether a question among `records` is a chat.
pub fn any_chat<'a>(records: impl IntoIterator<Item = &'a Record>) -> bool {
    records.into_iter().any(|record| record.messages.is_some())
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
