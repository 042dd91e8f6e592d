//! Writing tensors as a safetensors file, one after the other.
//!
//! The `safetensors` crate wants all numbers in memory or reads them back in a call that cannot wait; here a device is asked
//! for one tensor at a time, so that saving a model needs room for its largest tensor only, in a browser too.

use crate::Decoder;
use crate::checkpoint::{CheckpointError, NamedTensor};
use crate::parameters::{Visit, visit};
use crate::precision::Precision;
use burn::module::Param;
use burn::tensor::Tensor;
use serde_json::{Map, json};
use std::io::Write;

/// Named tensors on a device that are to become a file.
#[derive(Debug, Clone, Default)]
pub struct TensorFile {
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
    precision: Precision,
}

impl TensorFile {
    /// A file without tensors yet, whose numbers will be of type `precision`.
    pub fn new(precision: Precision) -> Self {
        Self { tensors: Vec::new(), precision }
    }

    /// All parameters of `model`, as they are now.
    pub fn of_model(model: &Decoder, precision: Precision) -> Self {
        let mut file = Self::new(precision);
        visit(model, &mut file);
        file
    }

    /// Adds a tensor without gradient.
    pub fn push<const D: usize>(&mut self, name: String, tensor: Tensor<D>) {
        let shape = tensor.dims().to_vec();
        self.tensors.push((name, shape, tensor.flatten(0, D - 1)));
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`CheckpointError::Device`] if a readback fails, [`CheckpointError::NotFinite`] if a number is NaN or infinite,
    /// [`CheckpointError::TooLarge`] if one is too large for the file's type, [`CheckpointError::Write`] if `out` fails.
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

    /// All numbers, on the host.
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

    /// Eight bytes of length, then where each tensor lies behind it, as JSON that ends on a multiple of eight.
    fn header(&self) -> Vec<u8> {
        let mut entries = Map::new();
        // transformers refuses a file that does not say for which framework it was written.
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
        text.resize(text.len().next_multiple_of(8), b' ');
        [&(text.len() as u64).to_le_bytes()[..], &text].concat()
    }
}

async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, CheckpointError> {
    let failed = |what: String| CheckpointError::Device { what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(format!("{error:?}")))
}

/// Collects parameters, without reading them.
impl Visit for TensorFile {
    fn visit<const D: usize>(&mut self, name: String, parameter: &Param<Tensor<D>>) {
        self.push(name, parameter.val().inner());
    }
}
