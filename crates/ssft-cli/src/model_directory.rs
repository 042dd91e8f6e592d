//! Where a model is on disk, and what is said when it cannot be read.

use crate::exit::Failure;
use crate::files;
use burn::tensor::Device;
use ssft_model::StoredTensors;
use ssft_model::checkpoint::CheckpointError;
use ssft_model::directory::{DirectoryError, LoadedModel, TextSide};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A model directory on disk but for its weights.
#[derive(Debug)]
pub struct ModelDirectory {
    /// Where it is.
    pub directory: PathBuf,
    /// What it says.
    pub side: TextSide,
}

impl ModelDirectory {
    /// Reads what `place` names: the directory of a model, of a checkpoint, or of a run, which stands for its final model or
    /// else its newest checkpoint.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the file that is missing or damaged.
    pub fn read(place: &Path) -> Result<Self, Failure> {
        let directory = model_of(place)?;
        let file = |name: &str| match fs::read(directory.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let side = TextSide::read(&file).map_err(|error| located(&directory, &error))?;
        Ok(Self { directory, side })
    }

    /// As [`TextSide::with_forks`].
    ///
    /// # Errors
    /// [`Failure::Usage`] if there can be no such tokens.
    pub fn with_forks(self, count: usize, like: Option<&str>, seed: u64) -> Result<Self, Failure> {
        let Self { directory, side } = self;
        let side = side.with_forks(count, like, seed).map_err(|error| located(&directory, &error))?;
        Ok(Self { directory, side })
    }

    /// Reads the weights on to `device`.
    ///
    /// # Errors
    /// [`Failure::Usage`] names what is missing or damaged.
    pub fn load(self, device: &Device) -> Result<LoadedModel, Failure> {
        let name = self.directory.display();
        let remedy = match self.directory.join("trainer").exists() {
            true => "remove this checkpoint to resume from an earlier one",
            false => "fetch the model again, or let save_pretrained write it as safetensors",
        };
        let located = |error: CheckpointError| match error {
            // Says itself what to do.
            CheckpointError::Config { .. } => Failure::Usage(format!("{name}: {error}")),
            error => Failure::Usage(format!("{name}: {error}; {remedy}")),
        };
        let stored = StoredTensors::in_directory(&self.directory).map_err(located)?;
        self.side.load(&stored, device).map_err(located)
    }
}

/// What is wrong with a model directory, with its place.
fn located(directory: &Path, error: &DirectoryError) -> Failure {
    let place = error.file.map_or_else(|| directory.to_owned(), |file| directory.join(file));
    Failure::Usage(format!("{}: {}", place.display(), error.what))
}

/// The model directory that `place` stands for.
fn model_of(place: &Path) -> Result<PathBuf, Failure> {
    if !files::is_run(place) {
        return Ok(place.to_owned());
    }
    let model = place.join("model");
    if model.exists() {
        return Ok(model);
    }
    let newest = files::checkpoints(place).ok().and_then(|mut checkpoints| checkpoints.pop());
    newest.map(|(_, path)| path).ok_or_else(|| {
        Failure::Usage(format!(
            "{}: the run has neither a model nor a checkpoint yet; let it go on",
            place.display()
        ))
    })
}
