//! The directory of a run: its name, its lock and the files in it.

use super::files;
use crate::course::Course;
use crate::error::RunError;
use ssft_data::whole_file::UNFINISHED;
use ssft_model::StoredTensors;
use ssft_model::checkpoint::CheckpointError;
use ssft_model::directory::Files;
use ssft_train::state::{OPTIMIZER_FILE, STATE_FILE};
use std::fmt::Display;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Directory of the runs without a name.
const RUNS: &str = "runs";

/// A run directory that is locked: no other process writes to it.
#[derive(Debug)]
pub struct RunDirectory {
    directory: PathBuf,
    /// Open while the lock is held; the system releases it when the process ends.
    _lock: File,
}

impl RunDirectory {
    /// Locks the directory of a new run: `asked`, or the first free name of `runs/STEM`, `runs/STEM-2`, ..
    ///
    /// # Errors
    /// [`RunError::State`] if it already holds a run, cannot be created, or another process trains in it.
    pub fn create(asked: Option<&Path>, stem: &str) -> Result<Self, RunError> {
        let Some(directory) = asked else { return Self::create_numbered(Path::new(RUNS), stem) };
        if let Some(file) = foreign_file(directory) {
            return Err(RunError::state(format!(
                "{} is not empty (it has {file}); give another `out`",
                directory.display()
            )));
        }
        if directory.join("config.toml").exists() {
            let name = directory.display();
            return Err(RunError::state(format!(
                "{name} already holds a run; add `resume` to continue it, or give another `out`"
            )));
        }
        Self::lock(directory)
    }

    /// Locks the first of `STEM`, `STEM-2`, .. in `parent` that does not exist. Looking and creating are one step, because
    /// another process may look at the same moment.
    fn create_numbered(parent: &Path, stem: &str) -> Result<Self, RunError> {
        // The stem has the name of a task, which is checked later and may have a `/`.
        let above = parent.join(stem).parent().map_or_else(PathBuf::new, Path::to_path_buf);
        fs::create_dir_all(&above).map_err(|error| unusable(&above, &error))?;
        let mut number = 1;
        loop {
            let directory = numbered(parent, stem, number);
            match fs::create_dir(&directory) {
                Ok(()) => return Self::lock(&directory),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(unusable(&directory, &error)),
            }
        }
    }

    /// Locks the directory of a run to continue: `asked`, or the last of `runs/STEM`, `runs/STEM-2`, .. that exists.
    ///
    /// # Errors
    /// [`RunError::State`] if there is no such run, or another process trains in it.
    pub fn reopen(asked: Option<&Path>, stem: &str) -> Result<Self, RunError> {
        let directory = asked.map_or_else(|| newest(Path::new(RUNS), stem), Path::to_path_buf);
        if !directory.join("config.toml").exists() {
            let name = directory.display();
            return Err(RunError::state(format!(
                "{name} holds no run to resume; check `out`, or leave out `resume`"
            )));
        }
        Self::lock(&directory)
    }

    fn lock(directory: &Path) -> Result<Self, RunError> {
        let unusable = |error| unusable(directory, &error);
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = File::create(directory.join(".lock")).map_err(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => RunError::state(format!(
                "another process is training in {}; wait for it, or give another `out`",
                directory.display()
            )),
            TryLockError::Error(error) => unusable(error),
        })?;
        for parent in [directory.to_owned(), directory.join("checkpoints")] {
            files::sweep(&parent).map_err(unusable)?;
        }
        Ok(Self { directory: directory.to_owned(), _lock: lock })
    }

    /// Path of the directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Path of a file in the directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Step and path of the newest checkpoint.
    ///
    /// # Errors
    /// [`RunError::Failed`] if the directory cannot be read.
    pub fn newest_checkpoint(&self) -> Result<Option<(usize, PathBuf)>, RunError> {
        Ok(files::checkpoints(&self.directory).map_err(|error| self.failed("checkpoints", error))?.pop())
    }

    /// Saves a checkpoint, whole or not at all, and removes the oldest beyond `keep`.
    ///
    /// # Errors
    /// [`RunError::Failed`] if a readback or a write fails; earlier checkpoints are then intact.
    pub fn save_checkpoint(&self, step: usize, content: &Files, keep: usize) -> Result<PathBuf, RunError> {
        let target = files::checkpoint(&self.directory, step);
        files::publish(&target, content).map_err(|error| self.unsaved("checkpoints", error))?;
        files::rotate(&self.directory, keep).map_err(|error| self.failed("checkpoints", error))?;
        Ok(target)
    }

    /// Saves the final model.
    ///
    /// # Errors
    /// [`RunError::Failed`] if a readback or a write fails.
    pub fn save_model(&self, content: &Files) -> Result<PathBuf, RunError> {
        let target = self.file("model");
        files::publish(&target, content).map_err(|error| self.unsaved("model", error))?;
        Ok(target)
    }

    /// Writes one file of the run, whole or not at all.
    ///
    /// # Errors
    /// [`RunError::Failed`] if the write fails.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), RunError> {
        files::publish_file(&self.file(name), bytes).map_err(|error| self.failed(name, error))
    }

    /// The error of a model or a checkpoint that could not be written.
    fn unsaved(&self, name: &str, error: CheckpointError) -> RunError {
        match error {
            CheckpointError::Write { error } => self.failed(name, error),
            CheckpointError::TooLarge { .. } => RunError::failed(format!(
                "{error}; store the model with: ssft-wgpu train --out {} --resume --dtype f32",
                self.directory.display()
            )),
            error => RunError::failed(error),
        }
    }

    /// The error of a part of the run that could not be read or written.
    pub fn failed(&self, name: &str, error: std::io::Error) -> RunError {
        let path = self.file(name);
        let remedy = if self.file("config.toml").exists() { "add `resume`" } else { "start again" };
        RunError::failed(format!(
            "{}: cannot be read or written ({error}); mend that, then {remedy}",
            path.display()
        ))
    }
}

impl Drop for RunDirectory {
    /// Removes the directory of a run that never began, so that its name stays free.
    fn drop(&mut self) {
        if !self.file("config.toml").exists() {
            // A directory with other files in it stays; a leftover does no harm.
            let _ = fs::remove_file(self.file(".lock"));
            let _ = fs::remove_dir(&self.directory);
        }
    }
}

/// Restores `course` from the checkpoint directory that its model was loaded from.
///
/// # Errors
/// [`RunError::State`] if the checkpoint is damaged or belongs to other settings.
pub fn restore(course: &mut Course, checkpoint: &Path) -> Result<(), RunError> {
    let unusable = |path: &Path, error: &dyn Display| {
        RunError::state(format!(
            "{}: {error}; remove this checkpoint to resume from an earlier one",
            path.display()
        ))
    };
    let path = checkpoint.join(STATE_FILE);
    let state = fs::read(&path).map_err(|error| unusable(&path, &format!("cannot be read ({error})")))?;
    let optimizer = StoredTensors::in_file(&checkpoint.join(OPTIMIZER_FILE))
        .map_err(|error| unusable(checkpoint, &error))?;
    course.restore(&optimizer, &state).map_err(|error| RunError::state(error).at(checkpoint))
}

/// A file in a directory that holds no run: a new run must not write among foreign files.
fn foreign_file(directory: &Path) -> Option<String> {
    if directory.join("config.toml").exists() {
        return None;
    }
    let names =
        fs::read_dir(directory).ok()?.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.into_iter().find(|name| name != ".lock" && !name.starts_with(UNFINISHED))
}

fn unusable(directory: &Path, error: &io::Error) -> RunError {
    RunError::state(format!("{}: cannot be used ({error}); give another `out`", directory.display()))
}

fn numbered(parent: &Path, stem: &str, number: usize) -> PathBuf {
    parent.join(if number == 1 { stem.to_owned() } else { format!("{stem}-{number}") })
}

/// The last of `STEM`, `STEM-2`, .. in `parent` that holds a run. A directory without one belongs to a run that is starting.
fn newest(parent: &Path, stem: &str) -> PathBuf {
    let names = (1..).map(|number| numbered(parent, stem, number)).take_while(|path| path.exists());
    let runs = names.filter(|path| path.join("config.toml").exists());
    runs.last().unwrap_or_else(|| numbered(parent, stem, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn runs_that_start_at_the_same_moment_get_names_of_their_own() {
        let home = tempfile::tempdir().expect("temporary directory");
        let parent = home.path().join("runs");
        let threads = 8;
        let start = Barrier::new(threads);
        let create = || {
            start.wait();
            RunDirectory::create_numbered(&parent, "maze-ssft").expect("a directory")
        };
        let runs: Vec<RunDirectory> = thread::scope(|scope| {
            let started: Vec<_> = (0..threads).map(|_| scope.spawn(create)).collect();
            started.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let names: BTreeSet<&Path> = runs.iter().map(RunDirectory::directory).collect();
        let expected: Vec<PathBuf> =
            (1..=threads).map(|number| numbered(&parent, "maze-ssft", number)).collect();
        assert_eq!(names, expected.iter().map(PathBuf::as_path).collect());
        // The newest run is one that has begun.
        runs[0].write("config.toml", b"").expect("a file");
        assert_eq!(newest(&parent, "maze-ssft"), runs[0].directory());
        drop(runs);
        assert_eq!(
            fs::read_dir(&parent).expect("list").count(),
            1,
            "names of runs that never began are free"
        );
    }
}
