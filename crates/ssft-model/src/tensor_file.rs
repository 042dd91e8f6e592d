//! Writing tensors to a safetensors file.
//!
//! Tensors are read back from the device and written one at a time, so that saving a model needs host memory for its largest
//! tensor only. The `safetensors` crate needs all numbers in memory, or reads them back synchronously, which a browser does
//! not allow.

use crate::decoder::Decoder;
use crate::error::CheckpointError;
use crate::parameters::{Visit, visit};
use crate::precision::Precision;
use crate::stored::NamedTensor;
use burn::module::Param;
use burn::tensor::Tensor;
use serde_json::{Map, json};
use std::io::Write;

/// Header lengths are padded to a multiple of this number of bytes, so that the numbers are aligned.
const HEADER_ALIGNMENT: usize = 8;

/// Named tensors on a device that are to be written to a file.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_model::config::Preset;
/// use ssft_model::parameters::EMBEDDING;
/// use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors, TensorFile};
///
/// let model = Decoder::init(&DecoderConfig::preset(Preset::Toy, 100), 1, &Device::flex());
/// let mut bytes = Vec::new();
/// pollster::block_on(TensorFile::of_model(&model, Precision::Bf16).write(&mut bytes))?;
///
/// let stored = StoredTensors::in_memory("model.safetensors", bytes)?;
/// assert_eq!(stored.precision(), Precision::Bf16);
/// assert_eq!(stored.shape(EMBEDDING), Some(&[100, 64][..]));
/// assert_eq!(stored.read(EMBEDDING, 0)?.len(), 6400);
/// # Ok::<(), ssft_model::CheckpointError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TensorFile {
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
    precision: Precision,
}

impl TensorFile {
    /// A file without tensors, whose numbers are stored as `precision`.
    pub fn new(precision: Precision) -> Self {
        Self { tensors: Vec::new(), precision }
    }

    /// All parameters of `model` at the time of the call.
    pub fn of_model(model: &Decoder, precision: Precision) -> Self {
        let mut file = Self::new(precision);
        visit(model, &mut file);
        file
    }

    /// Adds a tensor, which must not be tracked by autodiff.
    pub fn push<const D: usize>(&mut self, name: String, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        self.tensors.push((name, shape, tensor.flatten(0, D - 1)));
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`CheckpointError::Device`] if a readback fails, [`CheckpointError::NotFinite`] if a number is NaN or infinite,
    /// [`CheckpointError::TooLarge`] if it exceeds the range of the file's type, [`CheckpointError::Write`] if `out` fails.
    pub async fn write(&self, out: &mut dyn Write) -> Result<(), CheckpointError> {
        let failed = |error: std::io::Error| CheckpointError::Write { error };
        out.write_all(&self.header()).map_err(failed)?;
        for (name, _, tensor) in &self.tensors {
            let values = read(tensor.clone()).await?;
            let bytes = self.precision.narrow(&values).ok_or_else(|| self.not_finite(name, &values))?;
            out.write_all(&bytes).map_err(failed)?;
        }
        out.flush().map_err(failed)
    }

    /// Copies of all tensors on the host, in f32.
    ///
    /// # Errors
    /// [`CheckpointError::Device`] if a readback fails.
    pub async fn read(&self) -> Result<Vec<NamedTensor>, CheckpointError> {
        let mut tensors = Vec::with_capacity(self.tensors.len());
        for (name, shape, tensor) in &self.tensors {
            let values = read(tensor.clone()).await?;
            tensors.push(NamedTensor { name: name.clone(), shape: shape.clone(), values });
        }
        Ok(tensors)
    }

    fn not_finite(&self, name: &str, values: &[f32]) -> CheckpointError {
        let name = name.to_owned();
        match values.iter().all(|value| value.is_finite()) {
            true => CheckpointError::TooLarge { name, dtype: self.precision.hugging_face() },
            false => CheckpointError::NotFinite { name },
        }
    }

    /// Length of the JSON text in 8 bytes, then the text: type, shape and offsets of each tensor, padded with spaces.
    fn header(&self) -> Vec<u8> {
        let mut entries = Map::new();
        // transformers refuses a file without the name of a framework.
        entries.insert("__metadata__".to_owned(), json!({"format": "pt"}));
        let mut start = 0;
        for (name, shape, _) in &self.tensors {
            let end = start + shape.iter().product::<usize>() * self.precision.bytes();
            let dtype = self.precision.dtype();
            entries
                .insert(name.clone(), json!({"dtype": dtype, "shape": shape, "data_offsets": [start, end]}));
            start = end;
        }
        let mut text = serde_json::Value::Object(entries).to_string().into_bytes();
        text.resize(text.len().next_multiple_of(HEADER_ALIGNMENT), b' ');
        [&(text.len() as u64).to_le_bytes()[..], &text].concat()
    }
}

/// Numbers of a tensor, on the host.
async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, CheckpointError> {
    let failed = |what: String| CheckpointError::Device { what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(format!("{error:?}")))
}

/// Adds every parameter, without reading it back.
impl Visit for TensorFile {
    fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>) {
        self.push(name, parameter.val().inner());
    }
}
