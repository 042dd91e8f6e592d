//! Tensors at rest: safetensors files whose headers are read at once and whose numbers when they are asked for.
//!
//! Nothing is believed before it is checked, and nothing is allocated on the word of a header: offsets must lie inside the
//! file, side by side, and be as long as the shape says. Numbers are read through small windows of the file, so that a
//! model takes no more memory than the tensors made of it.

use crate::checkpoint::{CheckpointError, NamedTensor};
use crate::precision::Precision;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo, TensorView};
use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read;

#[cfg(not(target_family = "wasm"))]
use std::{fs::File, path::Path};

/// The name of a file that holds all of a model.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// Bytes of a file that are mapped at a time; a multiple of every size of a number, and of every page.
#[cfg(not(target_family = "wasm"))]
const WINDOW: usize = 16 << 20;

/// Named tensors in one or more files.
#[derive(Debug, Default)]
pub struct StoredTensors {
    files: Vec<StoredFile>,
    tensors: BTreeMap<String, Place>,
}

/// Where a tensor is and what it is.
#[derive(Debug, Clone)]
struct Place {
    file: usize,
    info: TensorInfo,
}

#[derive(Debug)]
pub(crate) struct StoredFile {
    name: String,
    /// Where the numbers start, behind the header.
    data: usize,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    #[cfg(not(target_family = "wasm"))]
    Disk(File),
}

impl StoredTensors {
    /// The tensors of a file that lies in memory; `name` stands for it in errors.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if it is no safetensors file, or not a whole one.
    pub fn in_memory(name: &str, bytes: Vec<u8>) -> Result<Self, CheckpointError> {
        let (data, infos) = header(name, bytes.as_slice(), bytes.len() as u64)?;
        let mut stored = Self::default();
        stored.add(StoredFile { name: name.to_owned(), data, bytes: Bytes::Memory(bytes) }, infos);
        Ok(stored)
    }

    /// Tensors that lie on the host, whatever numbers they hold.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if two have the same name, or one is not as long as its shape says.
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

    /// The tensors of one file on disk, which errors call by its name.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if it cannot be read, is no safetensors file, or not a whole one.
    #[cfg(not(target_family = "wasm"))]
    pub fn in_file(path: &Path) -> Result<Self, CheckpointError> {
        let mut stored = Self::default();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (file, infos) = open(name, path)?;
        stored.add(file, infos);
        Ok(stored)
    }

    /// The tensors of the model in a Hugging Face directory: of its one file, or of all that its index names.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if there is no such file, or one is damaged; [`CheckpointError::Index`] with everything
    /// that is wrong between the index and its files.
    #[cfg(not(target_family = "wasm"))]
    pub fn in_directory(directory: &Path) -> Result<Self, CheckpointError> {
        let single = directory.join(WEIGHTS_FILE);
        let index = if single.exists() { None } else { crate::index::ShardIndex::read(directory)? };
        index.map_or_else(|| Self::in_file(&single), |index| index.open(directory))
    }

    /// Names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The shape of a tensor.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|place| place.info.shape.as_slice())
    }

    /// The type of a tensor's numbers, or the name of one that is not read here.
    pub(crate) fn precision_of(&self, name: &str) -> Option<Result<Precision, String>> {
        let dtype = self.tensors.get(name)?.info.dtype;
        Some(Precision::of(dtype).ok_or_else(|| format!("{dtype:?}")))
    }

    /// The type that most of the bytes are of; f32 where there is nothing.
    pub fn precision(&self) -> Precision {
        let bytes = |precision: Precision| -> usize {
            let ours = self.tensors.values().filter(|place| place.info.dtype == precision.dtype());
            ours.map(|place| place.info.data_offsets.1 - place.info.data_offsets.0).sum()
        };
        // Of equals the last is taken.
        let all = Precision::ALL.into_iter().rev();
        all.max_by_key(|&precision| bytes(precision)).unwrap_or_default()
    }

    /// The file that a tensor is in.
    pub(crate) fn file_of(&self, name: &str) -> Option<&str> {
        self.tensors.get(name).map(|place| self.files[place.file].name.as_str())
    }

    /// The numbers of a tensor, row-major, in f32, with room for `more` behind them.
    ///
    /// # Errors
    /// [`CheckpointError::Weights`] if there is no such tensor, it is of a type that is not read here, or the file cannot be
    /// read any more.
    pub fn read(&self, name: &str, more: usize) -> Result<Vec<f32>, CheckpointError> {
        let place = self.tensors.get(name).ok_or_else(|| self.failed(name, "is missing"))?;
        let precision = Precision::of(place.info.dtype).ok_or_else(|| {
            self.failed(
                name,
                &format!("is of type {:?}; only F32, F16 and BF16 can be read", place.info.dtype),
            )
        })?;
        let file = &self.files[place.file];
        let (start, end) = place.info.data_offsets;
        // The file is at least this long, which was checked against its header.
        let mut values = Vec::with_capacity((end - start) / precision.bytes() + more);
        file.each_window(file.data + start..file.data + end, |bytes| precision.widen(bytes, &mut values))?;
        Ok(values)
    }

    /// An error that says `what` of a tensor.
    pub(crate) fn failed(&self, name: &str, what: &str) -> CheckpointError {
        let file = self.file_of(name).or_else(|| self.files.first().map(|file| file.name.as_str()));
        CheckpointError::Weights {
            file: file.unwrap_or_default().to_owned(),
            what: format!("tensor {name} {what}"),
        }
    }

    /// Adds a file's tensors; names that were there before are returned.
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

    /// Shows the bytes of `range` piece by piece. No number is cut in two: pieces are of a multiple of their size.
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

/// The tensors of one file, as its header has them.
pub(crate) type Infos = BTreeMap<String, TensorInfo>;

/// The most bytes of a header that the world's own library reads.
const LONGEST_HEADER: u64 = 100_000_000;

/// Where the numbers of a file of `length` bytes start, and what its header says about them.
fn header(name: &str, mut file: impl Read, length: u64) -> Result<(usize, Infos), CheckpointError> {
    let cut = |_| damaged(name, &"it ends in its header");
    let mut size = [0; 8];
    file.read_exact(&mut size).map_err(cut)?;
    let size = u64::from_le_bytes(size);
    if size > LONGEST_HEADER.min(length.saturating_sub(8)) {
        return Err(damaged(name, &format!("a header of {size} bytes in {length}")));
    }
    let mut text = vec![0; size as usize];
    file.read_exact(&mut text).map_err(cut)?;
    // Checks that the tensors lie side by side, each as long as its shape says.
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|error| damaged(name, &error))?;
    let data = 8 + text.len();
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
