//! Finding the weights in a model directory: one file, or several with an index.

use crate::error::CheckpointError;
use crate::stored::{StoredTensors, WEIGHTS_FILE, open};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// File name of an index.
const INDEX_FILE: &str = "model.safetensors.index.json";

/// Content of `model.safetensors.index.json`; other keys are ignored.
#[derive(Debug, Deserialize)]
struct ShardIndex {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

impl StoredTensors {
    /// The tensors of the model in a Hugging Face directory: from `model.safetensors`, or from all files in its index.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if a file is missing or damaged; [`CheckpointError::Index`] with all mismatches
    /// between the index and its files.
    pub fn in_directory(directory: &Path) -> Result<Self, CheckpointError> {
        let single = directory.join(WEIGHTS_FILE);
        let index = if single.exists() { None } else { ShardIndex::read(directory)? };
        index.map_or_else(|| Self::in_file(&single), |index| index.open(directory))
    }
}

impl ShardIndex {
    /// The index in `directory`; `None` if there is none.
    ///
    /// # Errors
    /// [`CheckpointError::Index`] if it cannot be read or parsed, or names a file outside of the directory.
    fn read(directory: &Path) -> Result<Option<Self>, CheckpointError> {
        let failed = |what: String| CheckpointError::Index { problems: vec![what] };
        let bytes = match std::fs::read(directory.join(INDEX_FILE)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| failed(format!("it cannot be read ({error})")))?,
        };
        let index: Self =
            serde_json::from_slice(&bytes).map_err(|error| failed(format!("no index ({error})")))?;
        let outside: Vec<String> = index
            .files()
            .filter(|name| !is_plain(name))
            .map(|name| format!("{name:?} is no name of a file beside it"))
            .collect();
        if outside.is_empty() { Ok(Some(index)) } else { Err(CheckpointError::Index { problems: outside }) }
    }

    /// Names of the files, without duplicates.
    fn files(&self) -> impl Iterator<Item = &str> {
        let names: BTreeSet<&str> = self.weight_map.values().map(String::as_str).collect();
        names.into_iter()
    }

    /// The tensors of all files together.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if a file is missing or damaged; [`CheckpointError::Index`] with every tensor that is
    /// not in the file that the index names, or not in the index.
    fn open(&self, directory: &Path) -> Result<StoredTensors, CheckpointError> {
        let (mut stored, mut problems) = (StoredTensors::default(), Vec::new());
        for name in self.files() {
            let (file, infos) = open(name.to_owned(), &directory.join(name))?;
            let unknown = infos.keys().filter(|tensor| !self.weight_map.contains_key(*tensor));
            problems.extend(unknown.map(|tensor| format!("{tensor} of {name} is not in the index")));
            let twice = stored.add(file, infos);
            problems.extend(twice.iter().map(|tensor| format!("{tensor} of {name} is in another file too")));
        }
        for (tensor, file) in &self.weight_map {
            if stored.file_of(tensor) != Some(file) {
                problems.push(format!("{tensor} is not in {file}"));
            }
        }
        if problems.is_empty() { Ok(stored) } else { Err(CheckpointError::Index { problems }) }
    }
}

/// True for a plain file name, which cannot lead out of the directory on any system. The file may be a link: the caches of
/// model hubs consist of links.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    one && !name.contains(['/', '\\', ':', '\0'])
}
