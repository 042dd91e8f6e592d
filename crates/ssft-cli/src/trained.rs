//! A trained model, with what its run knows about it.

use crate::args::TrainArgs;
use crate::config::{Resolved, RunConfig};
use crate::device::NamedDevice;
use crate::exit::Failure;
use crate::files;
use crate::model_directory::{LoadedModel, TextSide};
use crate::setup::encoder_of;
use ssft_data::encode::Encoder;
use ssft_data::forks::{CoverageGraph, ForkTable};
use ssft_model::Decoder;
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

impl Trained {
    /// Loads what `place` names, as [`TextSide::read`] finds it.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the file that is missing or damaged, or says that the model has no forks or does not fit
    /// the device.
    pub fn load(place: &Path, device: &NamedDevice) -> Result<Self, Failure> {
        let side = TextSide::read(place)?;
        if side.tokenizer.forks().is_empty() {
            let name = side.directory.display();
            return Err(Failure::Usage(format!(
                "{name}: the model has no forking tokens; train it first (`train --model {name}`)"
            )));
        }
        let run = settings_of(place)?;
        // Prompts as the run had them, on its day too.
        let date = run.as_ref().and_then(|run| run.date.clone());
        let whole = RunConfig { context: side.shape.max_position_embeddings, date, ..RunConfig::default() };
        let (encoder, lead) = encoder_of(&side, &whole, false)?;
        let unknown = || ForkTable::new(encoder.tokenizer().forks(), lead, CoverageGraph::default());
        let forks = side.forks.clone().unwrap_or_else(unknown);
        device.check_fits(&side.shape)?;
        let LoadedModel { model, side, .. } = side.load(&device.device)?;
        Ok(Self { model, encoder, forks, directory: side.directory, run })
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
