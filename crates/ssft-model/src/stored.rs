//! Reading safetensors files: headers when a file is opened, numbers when a tensor is read.
//!
//! Headers are untrusted. Offsets must lie inside the file, be adjacent, and match the shapes; nothing is allocated before
//! that is checked. Numbers are read through small windows of the file, so that loading a model needs no more memory than
//! the model itself.
//!
//! Not here: the index of models in several files (`shards`), and writing ([`crate::tensor_file`]).

use crate::error::CheckpointError;
use crate::precision::Precision;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;

#[cfg(not(target_family = "wasm"))]
use std::{fs::File, path::Path};

/// Name of the weights file of a model in one file.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// Bytes of a file that are mapped at a time: a multiple of the size of every number type and of every page size.
#[cfg(not(target_family = "wasm"))]
const WINDOW: usize = 16 << 20;

/// Bytes of the header's length, with which a file starts.
const LENGTH_BYTES: usize = 8;

/// Longest header in bytes that the `safetensors` library of Hugging Face reads.
const LONGEST_HEADER: u64 = 100_000_000;

/// A named tensor on the host, in f32.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name in the file.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Numbers, row-major.
    pub values: Vec<f32>,
}

/// Named tensors in one or more safetensors files.
///
/// [`crate::TensorFile`] has an example that writes a file and reads it back.
#[derive(Debug, Default)]
pub struct StoredTensors {
    files: Vec<StoredFile>,
    tensors: BTreeMap<String, Place>,
}

/// File, type, shape and offsets of a tensor.
#[derive(Debug, Clone)]
struct Place {
    /// Index into the files.
    file: usize,
    info: TensorInfo,
}

/// One safetensors file.
#[derive(Debug)]
pub(crate) struct StoredFile {
    name: String,
    /// Offset of the first number, after the header.
    data: usize,
    bytes: Bytes,
}

/// Tensors of one file, from its header.
pub(crate) type Infos = BTreeMap<String, TensorInfo>;

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    #[cfg(not(target_family = "wasm"))]
    Disk(File),
}

impl StoredTensors {
    /// The tensors of a file in memory; errors call it `name`.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if it is not a complete safetensors file.
    pub fn in_memory(name: &str, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let (data, infos) = header(name, bytes.as_slice(), bytes.len() as u64)?;
        let mut stored = Self::default();
        stored.add(StoredFile { name: name.to_owned(), data, bytes: Bytes::Memory(bytes) }, infos);
        Ok(stored)
    }

    /// Tensors from the host. Numbers that are not finite are accepted.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if two tensors have the same name, or the number of values does not match the shape.
    pub fn of_host(tensors: &[NamedTensor]) -> Result<Self, CheckpointError> {
        const NAME: &str = "tensors in memory";
        let bytes: Vec<Vec<u8>> = tensors
            .iter()
            .map(|tensor| tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let failed = |error| damaged(NAME, &error);
        let mut views = Vec::with_capacity(tensors.len());
        for (tensor, bytes) in tensors.iter().zip(&bytes) {
            views.push((
                &tensor.name,
                TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(failed)?,
            ));
        }
        Self::in_memory(NAME, safetensors::serialize(views, None).map_err(failed)?)
    }

    /// The tensors of one file on disk; errors call it by its file name.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if it cannot be read, or is not a complete safetensors file.
    #[cfg(not(target_family = "wasm"))]
    pub fn in_file(path: &Path) -> Result<Self, CheckpointError> {
        let mut stored = Self::default();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (file, infos) = open(name, path)?;
        stored.add(file, infos);
        Ok(stored)
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// True if there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.info.shape.as_slice())
    }

    /// Type of a tensor's numbers; `Err` has the name of a type that is not supported.
    pub(crate) fn precision_of(&self, name: &str) -> Option<Result<Precision, String>> {
        let dtype = self.tensors.get(name)?.info.dtype;
        Some(Precision::of(dtype).ok_or_else(|| format!("{dtype:?}")))
    }

    /// Type of the largest share of the bytes; f32 without tensors.
    pub fn precision(&self) -> Precision {
        let bytes = |precision: Precision| -> usize {
            let ours = self.tensors.values().filter(|place| place.info.dtype == precision.dtype());
            ours.map(|place| place.info.data_offsets.1 - place.info.data_offsets.0).sum()
        };
        // `max_by_key` takes the last of equals; reversed, that is the first in `ALL`.
        let all = Precision::ALL.into_iter().rev();
        all.max_by_key(|&precision| bytes(precision)).unwrap_or_default()
    }

    /// Name of the file that contains a tensor.
    pub(crate) fn file_of(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|place| self.files[place.file].name.as_str())
    }

    /// Numbers of a tensor, row-major, converted to f32, in a vector with capacity for `extra` more.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if there is no such tensor, its type is not supported, or reading the file fails.
    pub fn read(&self, name: &str, extra: usize) -> Result<Vec<f32>, CheckpointError> {
        let place = self.tensors.get(name).ok_or_else(|| self.failed(name, "is missing"))?;
        let precision = Precision::of(place.info.dtype).ok_or_else(|| {
            self.failed(
                name,
                &format!("is of type {:?}; only F32, F16 and BF16 can be read", place.info.dtype),
            )
        })?;
        let file = &self.files[place.file];
        let (start, end) = place.info.data_offsets;
        // The header was checked against the length of the file, so this allocates no more than the file has.
        let mut values = Vec::with_capacity((end - start) / precision.bytes() + extra);
        file.each_window(file.data + start..file.data + end, |bytes| precision.widen(bytes, &mut values))?;
        Ok(values)
    }

    /// An error about a tensor; `what` continues the sentence that its name starts.
    pub(crate) fn failed(&self, name: &str, what: &str) -> CheckpointError {
        let file = self.file_of(name).or_else(|| self.files.first().map(|file| file.name.as_str()));
        CheckpointError::Weights {
            file: file.unwrap_or_default().to_owned(),
            what: format!("tensor {name} {what}"),
        }
    }

    /// Adds the tensors of a file; returns the names that an earlier file has, too.
    pub(crate) fn add(&mut self, file: StoredFile, infos: Infos) -> Vec<String> {
        let number = self.files.len();
        self.files.push(file);
        let mut twice = Vec::new();
        for (name, info) in infos {
            if self.tensors.insert(name.clone(), Place { file: number, info }).is_some() {
                twice.push(name);
            }
        }
        twice
    }
}

impl StoredFile {
    fn failed(&self, what: String) -> CheckpointError {
        CheckpointError::Weights { file: self.name.clone(), what }
    }

    /// Calls `see` with the bytes of `range` in consecutive windows, none of which ends inside a number.
    fn each_window(
        &self,
        range: std::ops::Range<usize>,
        mut see: impl FnMut(&[u8]),
    ) -> Result<(), CheckpointError> {
        match &self.bytes {
            Bytes::Memory(bytes) => {
                see(bytes.get(range).ok_or_else(|| self.failed("ends early".to_owned()))?);
            }
            #[cfg(not(target_family = "wasm"))]
            Bytes::Disk(file) => {
                for start in range.clone().step_by(WINDOW) {
                    let length = WINDOW.min(range.end - start);
                    let map = crate::mapped::map(file, start as u64, length);
                    see(&map.map_err(|error| self.failed(format!("cannot be read ({error})")))?);
                }
            }
        }
        Ok(())
    }
}

/// Reads the header of a file of `length` bytes: offset of the first number, and the tensors.
fn header(name: &str, mut file: impl Read, length: u64) -> Result<(usize, Infos), CheckpointError> {
    let cut = |_| damaged(name, &"it ends in its header");
    let mut size = [0; LENGTH_BYTES];
    file.read_exact(&mut size).map_err(cut)?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER.min(length.saturating_sub(LENGTH_BYTES as u64)) {
        return Err(damaged(name, &format!("a header of {size} bytes in {length}")));
    }
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text).map_err(cut)?;
    // Parsing checks that the tensors are adjacent and match their shapes.
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| damaged(name, &error))?;
    let data = LENGTH_BYTES + text.len();
    let end = data.checked_add(metadata.data_len()).filter(|&end| end as u64 == length);
    end.ok_or_else(|| damaged(name, &"its tensors are not as long as the file"))?;
    let infos = metadata.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
    Ok((data, infos))
}

fn damaged(name: &str, error: &dyn Display) -> CheckpointError {
    let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    CheckpointError::Weights {
        file: name.to_owned(),
        what: format!("is damaged or no safetensors file ({reason})"),
    }
}

/// Opens a file on disk and reads its header.
#[cfg(not(target_family = "wasm"))]
pub(crate) fn open(name: String, path: &Path) -> Result<(StoredFile, Infos), CheckpointError> {
    let failed = |error: std::io::Error| CheckpointError::Weights {
        file: name.clone(),
        what: match error.kind() {
            std::io::ErrorKind::NotFound => "is not there".to_owned(),
            _ => format!("cannot be read ({error})"),
        },
    };
    let file = File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let (data, infos) = header(&name, &file, length)?;
    Ok((StoredFile { name, data, bytes: Bytes::Disk(file) }, infos))
}
