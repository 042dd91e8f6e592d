//! A model directory as Hugging Face lays it out: `config.json` and `model.safetensors`.

use crate::{Decoder, DecoderConfig};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::BTreeMap;
use std::collections::HashMap;
use thiserror::Error;

/// Why a model cannot be read or written. Messages are one line.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// `config.json` does not describe a model of ours.
    #[error("config.json: {what}")]
    Config {
        /// What is wrong, with the key.
        what: String,
    },
    /// The weights file is damaged.
    #[error("model.safetensors: {what}")]
    Weights {
        /// What is wrong.
        what: String,
    },
    /// The weights file is whole but belongs to another shape of model.
    #[error("model.safetensors does not fit config.json: {}", problems.join("; "))]
    Mismatch {
        /// One entry a tensor.
        problems: Vec<String>,
    },
    /// A weight is not a number: nobody wants this model saved.
    #[error("{name} holds a number that is not finite; nothing was saved, try a lower --lr")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// A readback from the device failed.
    #[error("reading the weights back from the device failed: {what}")]
    Device {
        /// The device's own words.
        what: String,
    },
}

/// A named tensor on the host, in f32.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Row-major values.
    pub values: Vec<f32>,
}

/// All weights of a model, read back to the host.
///
/// # Errors
/// [`CheckpointError::Device`] if the readback fails, [`CheckpointError::NotFinite`] if a weight is NaN or infinite.
pub async fn weights(model: &Decoder) -> Result<Vec<NamedTensor>, CheckpointError> {
    let mut handles = Handles::default();
    model.visit(&mut handles);
    let mut weights = Vec::with_capacity(handles.tensors.len());
    for (name, shape, tensor) in handles.tensors {
        let failed = |what: String| CheckpointError::Device { what };
        let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
        let values = data.try_to_vec::<f32>().map_err(|error| failed(format!("{error:?}")))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(CheckpointError::NotFinite { name });
        }
        weights.push(NamedTensor { name, shape, values });
    }
    Ok(weights)
}

/// The bytes of a safetensors file that holds `tensors`.
///
/// # Errors
/// [`CheckpointError::Weights`] if two tensors share a name or the shapes are inconsistent.
pub fn to_safetensors(tensors: &[NamedTensor]) -> Result<Vec<u8>, CheckpointError> {
    let damaged = |error: safetensors::SafeTensorError| CheckpointError::Weights { what: error.to_string() };
    let mut views = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let bytes = bytemuck::cast_slice(&tensor.values);
        views
            .push((&tensor.name, TensorView::new(Dtype::F32, tensor.shape.clone(), bytes).map_err(damaged)?));
    }
    // transformers refuses a file that does not say for which framework it was written.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(damaged)
}

/// The tensors of a safetensors file, widened to f32.
///
/// # Errors
/// [`CheckpointError::Weights`] if the file is truncated or inconsistent, or holds a type that is not a float.
pub fn from_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, NamedTensor>, CheckpointError> {
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| CheckpointError::Weights { what: error.to_string() })?;
    let read = |(name, view): (String, TensorView<'_>)| {
        let values = widen(&name, &view)?;
        Ok((name.clone(), NamedTensor { name, shape: view.shape().to_vec(), values }))
    };
    file.tensors().into_iter().map(read).collect()
}

fn widen(name: &str, view: &TensorView<'_>) -> Result<Vec<f32>, CheckpointError> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => {
            Ok(bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
        }
        Dtype::F16 => {
            Ok(bytes.chunks_exact(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect())
        }
        Dtype::BF16 => {
            Ok(bytes.chunks_exact(2).map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32()).collect())
        }
        other => Err(CheckpointError::Weights {
            what: format!("tensor {name} is of type {other:?}; only F32, F16 and BF16 can be read"),
        }),
    }
}

/// A model with the given weights.
///
/// # Errors
/// [`CheckpointError::Mismatch`] lists every tensor that is missing, left over or of another shape.
pub fn load(
    config: &DecoderConfig,
    mut weights: BTreeMap<String, NamedTensor>,
    device: &Device,
) -> Result<Decoder, CheckpointError> {
    // A tied head may be stored all the same; it is the embedding.
    if config.tie_word_embeddings {
        weights.remove("lm_head.weight");
    }
    let mut loader = Loader { path: Vec::new(), weights, problems: Vec::new(), device: device.clone() };
    let model = Decoder::init(config, 0, device).map(&mut loader);
    loader.problems.extend(loader.weights.keys().map(|name| format!("{name} has no place in the model")));
    if loader.problems.is_empty() {
        Ok(model)
    } else {
        Err(CheckpointError::Mismatch { problems: loader.problems })
    }
}

/// Collects parameters by name, without reading them.
#[derive(Default)]
struct Handles {
    path: Vec<String>,
    tensors: Vec<(String, Vec<usize>, Tensor<1>)>,
}

impl ModuleVisitor for Handles {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().inner();
        let shape = tensor.dims().to_vec();
        self.tensors.push((self.path.join("."), shape, tensor.flatten(0, D - 1)));
    }
}

/// Puts weights in their places and remembers what did not fit.
struct Loader {
    path: Vec<String>,
    weights: BTreeMap<String, NamedTensor>,
    problems: Vec<String>,
    device: Device,
}

impl ModuleMapper for Loader {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = self.path.join(".");
        let expected = param.lazy_shape().to_vec();
        match self.weights.remove(&name) {
            None => self.problems.push(format!("{name} is missing")),
            Some(found) if found.shape != expected => {
                self.problems.push(format!("{name} has shape {:?}, expected {expected:?}", found.shape));
            }
            Some(found) => {
                let values = TensorData::new(found.values, found.shape);
                return Param::initialized(param.id, Tensor::from_data(values, &self.device))
                    .set_require_grad(true);
            }
        }
        param
    }
}
