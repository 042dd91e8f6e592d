//! A trained model, with what its run knows about it.

use crate::args::TrainArgs;
use crate::config::{Resolved, RunConfig};
use crate::device::NamedDevice;
use crate::exit::Failure;
use crate::files;
use crate::model_directory::ModelDirectory;
use crate::setup::encoder_of;
use ssft_data::encode::Encoder;
use ssft_data::forks::{CoverageGraph, ForkTable};
use ssft_model::Decoder;
use ssft_model::directory::LoadedModel;
use ssft_train::state::{STATE_FILE, TrainerState};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// A model that has forks.
#[derive(Debug)]
pub struct Trained {
    /// The weights.
    pub model: Decoder,
    /// Text to ids, with the model's own longest row.
    pub encoder: Encoder,
    /// Its forks; without matches if nobody wrote them down.
    pub forks: ForkTable,
    /// Where the model is.
    pub directory: PathBuf,
    /// Settings of the run that the directory is of, if it is of one.
    pub run: Option<RunConfig>,
}

/// A model that has forks, but for its weights.
#[derive(Debug)]
pub struct Found {
    place: ModelDirectory,
    /// Settings of the run that it is of, if it is of one.
    pub run: Option<RunConfig>,
}

impl Found {
    /// Finds what `place` names, as [`ModelDirectory::read`] does.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the file that is missing or damaged, or says that the model has no forks.
    pub fn at(place: &Path) -> Result<Self, Failure> {
        let found = ModelDirectory::read(place)?;
        if found.side.tokenizer.forks().is_empty() {
            let name = found.directory.display();
            return Err(Failure::Usage(format!(
                "{name}: the model has no forking tokens; train it first (`train --model {name}`)"
            )));
        }
        Ok(Self { place: found, run: settings_of(place)? })
    }

    /// Reads the weights; `chats` says whether it is to be asked any.
    ///
    /// # Errors
    /// [`Failure::Usage`] if they are damaged or do not fit the device, or nothing says how a chat is to be rendered.
    pub fn load(self, chats: bool, device: &NamedDevice) -> Result<Trained, Failure> {
        let Self { place, run } = self;
        let (directory, side) = (place.directory.clone(), &place.side);
        // Prompts as the run had them, on its day too.
        let date = run.as_ref().and_then(|run| run.date.clone());
        let whole = RunConfig { context: side.shape.max_position_embeddings, date, ..RunConfig::default() };
        let (encoder, lead) = encoder_of(&place, &whole, chats)?;
        let unknown = || ForkTable::new(encoder.tokenizer().forks(), lead, CoverageGraph::default());
        let forks = side.forks.clone().unwrap_or_else(unknown);
        device.check_fits(&side.shape)?;
        let LoadedModel { model, .. } = place.load(&device.device)?;
        Ok(Trained { model, encoder, forks, directory, run })
    }
}

/// Settings of the run that `place` is, or is the model or a checkpoint of.
///
/// # Errors
/// [`Failure::Usage`] if they cannot be read.
pub fn settings_of(place: &Path) -> Result<Option<RunConfig>, Failure> {
    let resolved = run_of(place).map(|file| Resolved::new(&TrainArgs::default(), Some(&file))).transpose()?;
    Ok(resolved.map(|resolved| resolved.config))
}

/// The [`fingerprint`](ssft_train::fingerprint::fingerprint) of what the run of `place` learns from, as its newest checkpoint has it;
/// nothing if there is none any more.
///
/// # Errors
/// [`Failure::Usage`] if the checkpoint is damaged.
pub fn data_of(place: &Path) -> Result<Option<u64>, Failure> {
    let newest = |run: &Path| files::checkpoints(run).ok()?.pop();
    let newest = run_of(place).and_then(|file| newest(file.parent()?));
    let Some((_, checkpoint)) = newest else { return Ok(None) };
    let path = checkpoint.join(STATE_FILE);
    let refused = |error: &dyn Display| {
        Failure::Usage(format!("{}: cannot be read ({error}); remove this checkpoint", path.display()))
    };
    let state = std::fs::read(&path).map_err(|error| refused(&error))?;
    let state: TrainerState = serde_json::from_slice(&state).map_err(|error| refused(&error))?;
    Ok(Some(state.data))
}

/// The `config.toml` of the run that `place` is, or is the model or a checkpoint of.
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
