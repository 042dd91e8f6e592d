//! A model directory on disk, without its weights.

use super::{files, missing_model};
use crate::error::RunError;
use crate::forking::{self, WantedForks};
use burn::tensor::Device;
use ssft_model::StoredTensors;
use ssft_model::checkpoint::CheckpointError;
use ssft_model::directory::{DirectoryError, LoadedModel, TextSide};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A model directory on disk, without its weights.
#[derive(Debug)]
pub struct ModelDirectory {
    /// Its path.
    pub directory: PathBuf,
    /// Shape, tokenizer, template, forks and the files to carry over.
    pub side: TextSide,
}

impl ModelDirectory {
    /// Reads the directory of a model, of a checkpoint, or of a run. A run stands for its final model, or for its newest
    /// checkpoint if it has none.
    ///
    /// # Errors
    /// [`RunError::Model`] names the file that is missing or damaged.
    pub fn read(place: &Path) -> Result<Self, RunError> {
        let directory = model_of(place)?;
        if !directory.join("config.json").exists()
            && let Some(what) = missing_model::without_config(&directory)
        {
            return Err(RunError::model(format!("{}: {what}", directory.display())));
        }
        let file = |name: &str| match fs::read(directory.join(name)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        };
        let side = TextSide::read(&file).map_err(|error| located(&directory, &error))?;
        Ok(Self { directory, side })
    }

    /// The same model with its wanted number of forking tokens.
    ///
    /// # Errors
    /// As [`forking::with_forks`], with the directory's name.
    pub fn with_forks(self, wanted: WantedForks<'_>) -> Result<Self, RunError> {
        let Self { directory, side } = self;
        let side = forking::with_forks(side, wanted).map_err(|error| error.at(&directory))?;
        Ok(Self { directory, side })
    }

    /// Loads the weights onto `device`.
    ///
    /// # Errors
    /// [`RunError::Model`] names what is missing or damaged.
    pub fn load(self, device: &Device) -> Result<LoadedModel, RunError> {
        let name = self.directory.display();
        if let Some(what) = missing_model::without_weights(&self.directory) {
            return Err(RunError::model(format!("{name}: {what}")));
        }
        let remedy = match self.directory.join("trainer").exists() {
            true => "remove this checkpoint to resume from an earlier one",
            false => "fetch the model again, or let save_pretrained write it as safetensors",
        };
        let located = |error: CheckpointError| match error {
            // The message has a remedy of its own.
            CheckpointError::Config { .. } => RunError::model(format!("{name}: {error}")),
            error => RunError::model(format!("{name}: {error}; {remedy}")),
        };
        let stored = StoredTensors::in_directory(&self.directory).map_err(located)?;
        self.side.load(&stored, device).map_err(located)
    }
}

/// A fault of a model directory, with its path.
fn located(directory: &Path, error: &DirectoryError) -> RunError {
    let place = error.file.map_or_else(|| directory.to_owned(), |file| directory.join(file));
    RunError::model(format!("{}: {}", place.display(), error.what))
}

/// The model directory of `place`, which may be a run.
fn model_of(place: &Path) -> Result<PathBuf, RunError> {
    if !files::is_run(place) {
        return Ok(place.to_owned());
    }
    let model = place.join("model");
    if model.exists() {
        return Ok(model);
    }
    let newest = files::checkpoints(place).ok().and_then(|mut checkpoints| checkpoints.pop());
    newest.map(|(_, path)| path).ok_or_else(|| {
        RunError::model(format!(
            "{}: the run has neither a model nor a checkpoint yet; let it go on",
            place.display()
        ))
    })
}
