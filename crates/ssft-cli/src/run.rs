//! The directory of a run: where it is, who may write to it, and what is saved there.

use crate::exit::Failure;
use crate::files;
use crate::setup::Questions;
use ssft_data::forks::ForkTable;
use ssft_data::whole_file::UNFINISHED;
use ssft_model::checkpoint::CheckpointError;
use ssft_model::directory::Carried;
use ssft_model::directory::{Files, model_files};
use ssft_model::{Precision, StoredTensors};
use ssft_train::Trainer;
use ssft_train::state::{OPTIMIZER_FILE, STATE_FILE};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

/// A run directory that this process alone writes to.
#[derive(Debug)]
pub struct Run {
    directory: PathBuf,
    /// Held open: the lock goes with the process, however it ends.
    _lock: File,
}

impl Run {
    /// Takes the directory of a new run: `asked`, or the first free name made from `stem`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it already holds a run, cannot be created, or another process trains in it.
    pub fn create(asked: Option<&Path>, stem: &str) -> Result<Self, Failure> {
        let directory = asked.map_or_else(|| free_name(stem), Path::to_path_buf);
        if let Some(file) = foreign_file(&directory) {
            return Err(Failure::Usage(format!(
                "{} is not empty (it has {file}); give another --out",
                directory.display()
            )));
        }
        if directory.join("config.toml").exists() {
            let name = directory.display();
            return Err(Failure::Usage(format!(
                "{name} already holds a run; add --resume to go on with it, or give another --out"
            )));
        }
        Self::lock(directory)
    }

    /// Takes the directory of a run to go on with: `asked`, or the newest made from `stem`.
    ///
    /// # Errors
    /// [`Failure::Usage`] if there is no such run, or another process trains in it.
    pub fn reopen(asked: Option<&Path>, stem: &str) -> Result<Self, Failure> {
        let directory = asked.map_or_else(|| newest_name(stem), Path::to_path_buf);
        if !directory.join("config.toml").exists() {
            let name = directory.display();
            return Err(Failure::Usage(format!(
                "{name} holds no run to resume; check --out, or leave out --resume"
            )));
        }
        Self::lock(directory)
    }

    fn lock(directory: PathBuf) -> Result<Self, Failure> {
        let name = directory.display().to_string();
        let usable = |error: std::io::Error| {
            Failure::Usage(format!("{name}: cannot be used ({error}); give another --out"))
        };
        fs::create_dir_all(&directory).map_err(usable)?;
        let lock = File::create(directory.join(".lock")).map_err(usable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::Usage(format!(
                "another process is training in {name}; wait for it, or give another --out"
            )),
            TryLockError::Error(error) => usable(error),
        })?;
        for parent in [directory.clone(), directory.join("checkpoints")] {
            files::sweep(&parent).map_err(usable)?;
        }
        Ok(Self { directory, _lock: lock })
    }

    /// Where the run is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A file of the run.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// The newest checkpoint, if there is one.
    ///
    /// # Errors
    /// [`Failure::Run`] if the directory cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Option<(usize, PathBuf)>, Failure> {
        Ok(files::checkpoints(&self.directory).map_err(|error| self.failed("checkpoints", error))?.pop())
    }

    /// Saves a checkpoint, whole or not at all, and drops the oldest beyond `keep`.
    ///
    /// # Errors
    /// [`Failure::Run`] if a readback or a write fails; earlier checkpoints are then intact.
    pub fn save_checkpoint(
        &self,
        trainer: &Trainer,
        questions: &Questions,
        carried: &Carried,
        keep: usize,
    ) -> Result<PathBuf, Failure> {
        let step = trainer.steps_done();
        // A resumed run goes on from the weights as they were trained, whatever the final model is stored as.
        let mut content = contents(trainer, questions, carried, Precision::F32)?;
        content.extend(trainer.state_files().map_err(Failure::run)?);
        let target = files::checkpoint(&self.directory, step);
        files::publish(&target, &content).map_err(|error| self.unsaved("checkpoints", error))?;
        files::rotate(&self.directory, keep).map_err(|error| self.failed("checkpoints", error))?;
        Ok(target)
    }

    /// Saves the final model.
    ///
    /// # Errors
    /// [`Failure::Run`] if a readback or a write fails.
    pub fn save_model(
        &self,
        trainer: &Trainer,
        questions: &Questions,
        carried: &Carried,
        precision: Precision,
    ) -> Result<PathBuf, Failure> {
        let target = self.file("model");
        files::publish(&target, &contents(trainer, questions, carried, precision)?)
            .map_err(|error| self.unsaved("model", error))?;
        Ok(target)
    }

    /// Writes one file of the run, whole or not at all.
    ///
    /// # Errors
    /// [`Failure::Run`] if the write fails.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        files::publish_file(&self.file(name), bytes).map_err(|error| self.failed(name, error))
    }

    /// A part of the run that could not be written, or was not right to be written.
    fn unsaved(&self, name: &str, error: CheckpointError) -> Failure {
        match error {
            CheckpointError::Write { error } => self.failed(name, error),
            CheckpointError::TooLarge { .. } => Failure::Run(format!(
                "{error}; store the model with: ssft-wgpu train --out {} --resume --dtype f32",
                self.directory.display()
            )),
            error => Failure::run(error),
        }
    }

    /// A failed read or write of a part of the run.
    pub fn failed(&self, name: &str, error: std::io::Error) -> Failure {
        let path = self.file(name);
        let remedy = if self.file("config.toml").exists() { "add --resume" } else { "start again" };
        Failure::Run(format!(
            "{}: cannot be read or written ({error}); mend that, then {remedy}",
            path.display()
        ))
    }
}

impl Drop for Run {
    /// A run that never began leaves nothing behind, so that its name stays free.
    fn drop(&mut self) {
        if !self.file("config.toml").exists() {
            // What cannot be removed harms nobody, and a directory with something else in it is to stay.
            let _ = fs::remove_file(self.file(".lock"));
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// Restores `trainer` from the checkpoint directory its model was loaded from.
///
/// # Errors
/// [`Failure::Usage`] if the checkpoint is damaged or belongs to other settings.
pub fn restore(trainer: &mut Trainer, checkpoint: &Path) -> Result<(), Failure> {
    let read = |name: &str| {
        let path = checkpoint.join(name);
        fs::read(&path).map_err(|error| {
            Failure::Usage(format!(
                "{}: cannot be read ({error}); remove this checkpoint to resume from an earlier one",
                path.display()
            ))
        })
    };
    let located = |error: &dyn std::fmt::Display| {
        Failure::Usage(format!(
            "{}: {error}; remove this checkpoint to resume from an earlier one",
            checkpoint.display()
        ))
    };
    let state = read(STATE_FILE)?;
    let optimizer =
        StoredTensors::in_file(&checkpoint.join(OPTIMIZER_FILE)).map_err(|error| located(&error))?;
    trainer
        .restore(&optimizer, &state)
        .map_err(|error| Failure::Usage(format!("{}: {error}", checkpoint.display())))
}

fn contents(
    trainer: &Trainer,
    questions: &Questions,
    carried: &Carried,
    precision: Precision,
) -> Result<Files, Failure> {
    let ids = questions.encoder.tokenizer().forks();
    let forks = ForkTable::new(ids, questions.lead.clone(), trainer.coverage().clone());
    model_files(&trainer.frozen(), &questions.encoder, &forks, carried, precision).map_err(Failure::run)
}

/// A file in a directory that holds no run: a new run would write among somebody's files.
fn foreign_file(directory: &Path) -> Option<String> {
    if directory.join("config.toml").exists() {
        return None;
    }
    let names =
        fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.into_iter().find(|name| name != ".lock" && !name.starts_with(UNFINISHED))
}

fn numbered(stem: &str, number: usize) -> PathBuf {
    let name = if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") };
    Path::new("runs").join(name)
}

fn free_name(stem: &str) -> PathBuf {
    let free = (1..).map(|number| numbered(stem, number)).find(|path| !path.exists());
    free.unwrap_or_else(|| numbered(stem, 1))
}

fn newest_name(stem: &str) -> PathBuf {
    let taken = (1..).map(|number| numbered(stem, number)).take_while(|path| path.exists());
    taken.last().unwrap_or_else(|| numbered(stem, 1))
}
