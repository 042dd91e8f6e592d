//! From a Hugging Face directory's tensors to a model.

use crate::added::AddedTokens;
use crate::initializer::Initializer;
use crate::stored::StoredTensors;
use crate::{Decoder, DecoderConfig};
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeSet;
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
    /// A weights file is damaged.
    #[error("{file}: {what}")]
    Weights {
        /// Its name.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The index of several weights files does not fit them.
    #[error("model.safetensors.index.json: {}", problems.join("; "))]
    Index {
        /// Everything that is wrong.
        problems: Vec<String>,
    },
    /// The weights are whole but belong to another shape of model.
    #[error("the weights do not fit config.json: {}", problems.join("; "))]
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
    /// A weight is too large for the type it is to be stored in.
    #[error("{name} holds a number that is too large for {dtype}; nothing was saved, try --dtype f32")]
    TooLarge {
        /// The tensor.
        name: String,
        /// The type.
        dtype: &'static str,
    },
    /// A readback from the device failed.
    #[error("reading the weights back from the device failed: {what}")]
    Device {
        /// The device's own words.
        what: String,
    },
    /// The file that is written to refuses.
    #[error("{error}")]
    Write {
        /// The system's own words.
        error: std::io::Error,
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

/// A model of the shape that `config` says, with the weights that are `stored`, and rows for tokens that are `added`.
///
/// One tensor at a time is read, widened to f32 and handed to `device`, so that no more than the model itself is in memory.
/// A head that is tied may be stored all the same; it is the embedding. Frequencies of the rotary embedding, which
/// old checkpoints store, follow from `config` and are not read.
///
/// # Errors
/// [`CheckpointError::Mismatch`] lists every tensor that is missing, left over, of another shape or of a type that is not
/// read here; [`CheckpointError::Weights`] if a file cannot be read any more.
pub fn load(
    config: &DecoderConfig,
    stored: &StoredTensors,
    added: Option<&AddedTokens>,
    device: &Device,
) -> Result<Decoder, CheckpointError> {
    // Before a model of so many layers is laid out.
    if config.num_hidden_layers > stored.len() {
        let (layers, tensors) = (config.num_hidden_layers, stored.len());
        let problem = format!("{layers} layers cannot be in {tensors} tensors");
        return Err(CheckpointError::Mismatch { problems: vec![problem] });
    }
    check(&Decoder::build(config, &mut Initializer::Later, device), stored)?;
    let grown =
        DecoderConfig { vocab_size: added.map_or(config.vocab_size, |added| added.rows), ..config.clone() };
    let mut loader = Loader { path: Vec::new(), stored, added, failed: None, device };
    let model = Decoder::build(&grown, &mut Initializer::Later, device).map(&mut loader);
    loader.failed.map_or(Ok(model), Err)
}

/// Compares every parameter of `outline` with what is stored.
fn check(outline: &Decoder, stored: &StoredTensors) -> Result<(), CheckpointError> {
    let mut inventory = Inventory { path: Vec::new(), stored, seen: BTreeSet::new(), problems: Vec::new() };
    outline.visit(&mut inventory);
    let Inventory { seen, mut problems, .. } = inventory;
    let tied = outline.lm_head.is_none();
    let harmless = |name: &str| tied && name == "lm_head.weight" || name.ends_with(".rotary_emb.inv_freq");
    let extra = stored.names().filter(|name| !seen.contains(*name) && !harmless(name));
    problems.extend(extra.map(|name| format!("{name} has no place in the model")));
    if problems.is_empty() { Ok(()) } else { Err(CheckpointError::Mismatch { problems }) }
}

struct Inventory<'a> {
    path: Vec<String>,
    stored: &'a StoredTensors,
    seen: BTreeSet<String>,
    problems: Vec<String>,
}

impl ModuleVisitor for Inventory<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let name = self.path.join(".");
        let expected = param.lazy_shape().to_vec();
        match (self.stored.shape(&name), self.stored.precision_of(&name)) {
            (Some(found), _) if found != expected => {
                self.problems.push(format!("{name} has shape {found:?}, expected {expected:?}"));
            }
            (Some(_), Some(Err(dtype))) => {
                self.problems.push(format!("{name} is of type {dtype}, expected F32, F16 or BF16"));
            }
            (Some(_), _) => {}
            (None, _) => self.problems.push(format!("{name} is missing")),
        }
        self.seen.insert(name);
    }
}

/// Puts weights in their places.
struct Loader<'a> {
    path: Vec<String>,
    stored: &'a StoredTensors,
    added: Option<&'a AddedTokens>,
    failed: Option<CheckpointError>,
    device: &'a Device,
}

impl Loader<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let table = name == "model.embed_tokens.weight" || name == "lm_head.weight";
        let Some(added) = self.added.filter(|_| table) else { return self.stored.read(name, 0) };
        let (rows, width) = (shape[0], shape[1]);
        let there = self.stored.shape(name).map_or(rows, |shape| shape[0]);
        let mut values = self.stored.read(name, (rows - there) * width)?;
        added.grow(&mut values, width);
        Ok(values)
    }
}

impl ModuleMapper for Loader<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().to_vec();
        if self.failed.is_some() {
            return param;
        }
        match self.values(&self.path.join("."), &shape) {
            Ok(values) => {
                let values = TensorData::new(values, shape);
                Param::initialized(param.id, Tensor::from_data(values, self.device)).set_require_grad(true)
            }
            Err(error) => {
                self.failed = Some(error);
                param
            }
        }
    }
}
