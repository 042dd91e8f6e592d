//! The index of a model whose tensors lie in several files.

use crate::checkpoint::CheckpointError;
use crate::stored::{StoredTensors, open};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Component, Path};

/// The name of an index.
const INDEX_FILE: &str = "model.safetensors.index.json";

/// The content of `model.safetensors.index.json`; what else is in it does not matter here.
#[derive(Debug, Deserialize)]
pub(crate) struct ShardIndex {
    /// The file of each tensor.
    weight_map: BTreeMap<String, String>,
}

impl ShardIndex {
    /// The index in `directory`, if there is one.
    ///
    /// # Errors
    /// [`CheckpointError::Index`] if it cannot be read, is no index, or names a file outside of its directory.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, CheckpointError> {
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

    /// Each file once.
    fn files(&self) -> impl Iterator<Item = &str> {
        let names: std::collections::BTreeSet<&str> = self.weight_map.values().map(String::as_str).collect();
        names.into_iter()
    }

    /// The tensors of all files together.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if a file is missing or damaged; [`CheckpointError::Index`] with every tensor that is
    /// not where the index says, or that it does not know.
    pub(crate) fn open(&self, directory: &Path) -> Result<StoredTensors, CheckpointError> {
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

/// A name that leads nowhere else, on any system. Links are followed: the caches of hubs are made of them.
fn is_plain(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let one = matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None));
    one && !name.contains(['/', '\\', ':', '\0'])
}
