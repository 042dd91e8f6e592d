//! A trained model with the settings of its run.

use super::config_file::read_settings;
use super::files;
use super::model_directory::ModelDirectory;
use crate::day;
use crate::device::NamedDevice;
use crate::encoding::{self, Rendering};
use crate::error::RunError;
use crate::questions::QuestionForm;
use crate::settings::Settings;
use ssft_data::encode::Encoder;
use ssft_data::forks::{CoverageGraph, ForkTable};
use ssft_model::Decoder;
use ssft_model::directory::LoadedModel;
use ssft_train::state::{STATE_FILE, TrainerState};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A model with forking tokens, loaded.
#[derive(Debug)]
pub struct Trained {
    /// Weights.
    pub model: Decoder,
    /// Text to token ids, with the model's own context.
    pub encoder: Encoder,
    /// Fork table; its coverage is empty if the model has no `forks.json`.
    pub forks: ForkTable,
    /// Path of the model directory.
    pub directory: PathBuf,
    /// Settings of the run that the directory belongs to.
    pub run: Option<Settings>,
}

/// A model with forking tokens, without its weights.
#[derive(Debug)]
pub struct Found {
    place: ModelDirectory,
    /// Settings of the run that the model belongs to.
    pub run: Option<Settings>,
}

impl Found {
    /// Reads the model at `place`, as [`ModelDirectory::read`] does.
    ///
    /// # Errors
    /// [`RunError::Model`] names the file that is missing or damaged, or says that the model has no forks.
    pub fn at(place: &Path) -> Result<Self, RunError> {
        let found = ModelDirectory::read(place)?;
        if found.side.tokenizer.forks().is_empty() {
            let name = found.directory.display();
            return Err(RunError::model(format!(
                "{name}: the model has no forking tokens; train it first, with `model` {name}"
            )));
        }
        Ok(Self { place: found, run: settings_of(place)? })
    }

    /// Reads the weights. `questions` says whether chats will be asked.
    ///
    /// # Errors
    /// [`RunError::Model`] if they are damaged or do not fit the device, or the chat template cannot be used.
    pub fn load(self, questions: QuestionForm, device: &NamedDevice) -> Result<Trained, RunError> {
        let Self { place, run } = self;
        let (directory, side) = (place.directory.clone(), &place.side);
        // Prompts show the day of the run, so that they are what training saw.
        let date = run.as_ref().and_then(|run| run.date.clone()).unwrap_or_else(day::today);
        let rendering = Rendering { date: Some(day::parse(&date)?), ..Rendering::of_model(side) };
        let (encoder, lead) =
            encoding::of_model(side, &rendering, questions).map_err(|error| error.at(&directory))?;
        let unknown = || ForkTable::new(encoder.tokenizer().forks(), lead, CoverageGraph::default());
        let forks = side.forks.clone().unwrap_or_else(unknown);
        device.check_fits(&side.shape)?;
        let LoadedModel { model, .. } = place.load(&device.device)?;
        Ok(Trained { model, encoder, forks, directory, run })
    }
}

/// Settings of the run that `place` is, or whose model or checkpoint it is.
///
/// # Errors
/// [`RunError::Model`] if they cannot be read.
pub fn settings_of(place: &Path) -> Result<Option<Settings>, RunError> {
    run_of(place).map(|file| read_settings(&file)).transpose()
}

/// The [`fingerprint`](ssft_train::fingerprint::fingerprint) of what the run of `place` learns from, as its newest checkpoint has it;
/// nothing if there is none any more.
///
/// # Errors
/// [`RunError::Model`] if the checkpoint is damaged.
pub fn data_of(place: &Path) -> Result<Option<u64>, RunError> {
    let newest = |run: &Path| files::checkpoints(run).ok()?.pop();
    let newest = run_of(place).and_then(|file| newest(file.parent()?));
    let Some((_, checkpoint)) = newest else { return Ok(None) };
    let path = checkpoint.join(STATE_FILE);
    let refused = |error: &dyn Display| {
        RunError::model(format!("{}: cannot be read ({error}); remove this checkpoint", path.display()))
    };
    let state = std::fs::read(&path).map_err(|error| refused(&error))?;
    let state: TrainerState = serde_json::from_slice(&state).map_err(|error| refused(&error))?;
    Ok(Some(state.data))
}

/// The `config.toml` of the run that `place` is, or whose model or checkpoint it is.
fn run_of(place: &Path) -> Option<PathBuf> {
    // A path like `model` has no parent that exists by name.
    let place = place.canonicalize().ok()?;
    if files::is_run(&place) {
        return Some(place.join("config.toml"));
    }
    let known = |part: &Path| part.file_name().is_some_and(|name| name == "model" || name == "checkpoints");
    let parent = place.parent()?;
    let run = if known(&place) { parent } else { parent.parent().filter(|_| known(parent))? };
    files::is_run(run).then(|| run.join("config.toml"))
}
