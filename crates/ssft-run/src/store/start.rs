//! From settings to a course that can take its first step: questions, model and trainer.

use super::model_directory::ModelDirectory;
use super::run_directory::restore;
use crate::course::{Course, Questions};
use crate::day;
use crate::device::NamedDevice;
use crate::encoding::{self, Rendering, Vocabulary};
use crate::error::RunError;
use crate::forking::WantedForks;
use crate::model_text::ModelText;
use crate::questions::{QuestionForm, Split};
use crate::settings::{Layers, Origin, Settings};
use ssft_data::dataset::{Limits, check_file, check_forks};
use ssft_data::error::DataError;
use ssft_data::note::Notes;
use ssft_data::record::Record;
use ssft_data::words::counted;
use ssft_model::config::Preset;
use ssft_model::directory::{Carried, LoadedModel};
use ssft_model::{Decoder, DecoderConfig, Precision};
use std::mem;
use std::path::{self, Path, PathBuf};

/// Number of questions that the notes of a run are about; `data check` reads all.
const NOTED: usize = 1000;

/// A run that is ready for its first step.
#[derive(Debug)]
pub struct Start {
    /// Model, trainer and questions.
    pub course: Course,
    /// Encoder, fork lead and carried files.
    pub text: ModelText,
    /// Lines for the user: forking tokens that were added to the model, parts of the questions that never reach it.
    pub notes: Vec<String>,
}

/// Records of the run that `settings` describe, split.
///
/// # Errors
/// [`RunError::Data`] for data that cannot be used, with its place.
pub fn split(settings: &Settings) -> Result<Split, RunError> {
    read(settings).map(|(split, _)| split)
}

/// As [`split`], with notes on the records of a file.
fn read(settings: &Settings) -> Result<(Split, Notes), RunError> {
    let Some(path) = &settings.data else { return Ok((Split::of_task(settings)?, Notes::default())) };
    let mut checked = check_file(path, &Limits { problems: 1, ..Limits::default() });
    let notes = mem::take(&mut checked.notes);
    let records = checked.into_records().map_err(RunError::data)?;
    Ok((Split::of_records(records, settings), notes))
}

/// Prepares a run, from the newest `checkpoint` if there is one. Settings that follow from the model, the device and the calendar
/// are written into `settings`, so that the run can be repeated.
///
/// # Errors
/// [`RunError`] for data, a model, a checkpoint or settings that cannot be used.
pub fn prepare(
    settings: &mut Settings,
    layers: &Layers,
    device: &NamedDevice,
    checkpoint: Option<&Path>,
) -> Result<Start, RunError> {
    // 1. Questions, and the text side of the model: everything that can be wrong with text comes before weights are read.
    check_data_there(settings, layers)?;
    let (split, mut unused) = read(settings)?;
    let given = match checkpoint.or(settings.model.as_deref()) {
        Some(place) => Some(with_forks(ModelDirectory::read(place)?, settings, layers)?),
        None => None,
    };
    // One day for the whole run, whenever it is resumed.
    let date = settings.date.get_or_insert_with(day::today).clone();
    let rendering = Rendering::new(settings, Some(day::parse(&date)?));
    let encoding = encoding_of(given.as_ref(), &split, settings, &rendering)?;
    unused.extend(encoding.0.left_out(split.all().take(NOTED)));
    for note in encoding.0.unwritten(split.all().take(NOTED)) {
        unused.add(note.map_err(|error| in_file(settings, &error))?);
    }
    let questions = encode(split, &encoding.0, settings)?;
    // 2. The model.
    let autodiff = device.device.clone().autodiff();
    if let Some(given) = &given {
        device.check_fits(&given.side.grown_shape())?;
    }
    let loaded = given.map(|given| given.load(&autodiff)).transpose()?;
    let stored = loaded.as_ref().map_or(Precision::F32, |loaded| loaded.precision);
    let unused = unused.in_short().map(|line| format!("note     {line}"));
    let notes = loaded.as_ref().and_then(new_rows).into_iter().chain(unused).collect();
    let (model, carried) = match loaded {
        Some(loaded) => (loaded.model, loaded.side.carried),
        None => (fresh(settings, encoding.0.tokenizer().vocab_size(), &autodiff), Carried::default()),
    };
    let text = ModelText::new(encoding, carried);
    // 3. Settings that are known by now.
    settings.forks = text.encoder.tokenizer().forks().len();
    settings.context = text.encoder.context();
    settings.date = Some(date).filter(|_| day::matters_to(text.encoder.template()));
    settings.dtype = settings.dtype.precision(stored).into();
    // The run may be resumed or evaluated from another working directory.
    settings.data = settings.data.as_deref().map(absolute);
    settings.model = settings.model.as_deref().map(absolute);
    // Another budget would cut the passes of a resumed run differently, and round differently.
    let budget = *settings.memory_budget.get_or_insert_with(|| device.memory_budget(model.config()));
    // 4. The course.
    let mut course = Course::encoded(settings.clone(), questions, &text, model, budget);
    if let Some(directory) = checkpoint {
        restore(&mut course, directory)?;
    }
    let done = course.trainer.steps_done();
    if done > course.steps {
        return Err(RunError::setting(
            "steps",
            &format!("is less than the {done} that are done; give {done} or more"),
        ));
    }
    Ok(Start { course, text, notes })
}

/// Refuses a data file that a configuration file names and that is gone, as after a move.
fn check_data_there(settings: &Settings, layers: &Layers) -> Result<(), RunError> {
    match &settings.data {
        Some(path) if layers.origin("data") == Origin::File && !path.exists() => Err(RunError::data(
            format!("{}: no such file; put it back, or give its new path as `data`", path.display()),
        )),
        _ => Ok(()),
    }
}

/// A path that leads to the same place from every working directory.
pub fn absolute(path: &Path) -> PathBuf {
    // Fails for an empty path, and if the working directory was removed.
    path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// The model with the forking tokens that `settings` ask for.
fn with_forks(
    model: ModelDirectory,
    settings: &Settings,
    layers: &Layers,
) -> Result<ModelDirectory, RunError> {
    let room = model.side.shape.max_position_embeddings;
    if layers.is_given("context") && settings.context > room {
        let name = model.directory.display();
        let problem =
            format!("is {}, but {name} has room for {room} tokens; give at most that", settings.context);
        return Err(RunError::setting("context", &problem));
    }
    let mut wanted = WantedForks {
        count: layers.is_given("forks").then_some(settings.forks),
        init: settings.fork_init.as_deref(),
        seed: settings.seed,
    };
    let present = model.side.tokenizer.forks().len();
    // A resumed run has `fork-init` in its file, and its tokens by now.
    let insists = layers.origin("fork-init") == Origin::Flag;
    if !insists && wanted.after(present) <= present {
        wanted.init = None;
    }
    model.with_forks(wanted)
}

fn encoding_of(
    given: Option<&ModelDirectory>,
    split: &Split,
    settings: &Settings,
    rendering: &Rendering,
) -> Result<encoding::Encoding, RunError> {
    let Some(given) = given else {
        let vocabulary = match settings.data {
            Some(_) => Vocabulary::Learned(settings.vocab_size),
            None => Vocabulary::Bytes,
        };
        check(&split.train, settings.forks, settings)?;
        let records: Vec<&Record> = split.all().collect();
        return encoding::of_records(&records, vocabulary, settings.forks, rendering);
    };
    check(&split.train, given.side.tokenizer.forks().len(), settings)?;
    let form = QuestionForm::of(split.all());
    encoding::of_model(&given.side, rendering, form).map_err(|error| error.at(&given.directory))
}

fn check(train: &[Record], forks: usize, settings: &Settings) -> Result<(), RunError> {
    check_forks(train, forks).map_err(|error| in_file(settings, &error))
}

fn encode(
    split: Split,
    encoder: &ssft_data::encode::Encoder,
    settings: &Settings,
) -> Result<Questions, RunError> {
    let Split { train, held_out, judge } = split;
    let train = encoder.encode_all(&train).map_err(|error| in_file(settings, &error))?;
    // Held-out questions are checked now, not after an hour of training.
    encoder.encode_all(&held_out).map_err(|error| in_file(settings, &error))?;
    Ok(Questions { train, held_out, judge })
}

/// A fault of a question, with the file that it came from.
fn in_file(settings: &Settings, error: &DataError) -> RunError {
    match &settings.data {
        Some(path) => RunError::data(error).at(path),
        None => RunError::data(error),
    }
}

/// A line about the forking tokens that a model was given.
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

fn fresh(settings: &Settings, vocabulary: usize, device: &burn::tensor::Device) -> Decoder {
    let mut shape = DecoderConfig::preset(settings.preset.unwrap_or(Preset::Tiny), vocabulary);
    shape.max_position_embeddings = settings.context;
    Decoder::init(&shape, settings.seed, device)
}
