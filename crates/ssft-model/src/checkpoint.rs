//! From a Hugging Face directory's tensors to a model.

use crate::added::AddedTokens;
use crate::initializer::Initializer;
use crate::parameters::{Replace, replace, shapes};
use crate::stored::StoredTensors;
use crate::{Decoder, DecoderConfig};
use burn::module::Param;
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
    #[error("{name} holds a number that is too large for {dtype}; nothing was saved")]
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
/// One tensor at a time is read, widened to f32 and handed to `device`, so that no more than the model itself is in memory,
/// but for a stored head that is compared with the embedding before.
/// A head that is tied may be stored all the same, if it is the embedding. Frequencies of the rotary embedding, which
/// old checkpoints store, follow from `config` and are not read.
///
/// # Errors
/// [`CheckpointError::Mismatch`] lists every tensor that is missing, left over, of another shape or of a type that is not
/// read here; [`CheckpointError::Weights`] if a number is not finite, or a file cannot be read any more;
/// [`CheckpointError::Config`] if a tied head is stored that is not the embedding.
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
    let outline = Decoder::build(config, &mut Initializer::Later, device);
    check(&outline, stored)?;
    if outline.lm_head.is_none() && stored.shape(HEAD).is_some() {
        check_tied(stored)?;
    }
    let grown =
        DecoderConfig { vocab_size: added.map_or(config.vocab_size, |added| added.rows), ..config.clone() };
    let mut loader = Loader { stored, added, failed: None, device };
    let model = replace(Decoder::build(&grown, &mut Initializer::Later, device), &mut loader);
    loader.failed.map_or(Ok(model), Err)
}

/// The names of the two tables with one row a token.
const EMBEDDING: &str = "model.embed_tokens.weight";
const HEAD: &str = "lm_head.weight";

/// Compares every parameter of `outline` with what is stored.
fn check(outline: &Decoder, stored: &StoredTensors) -> Result<(), CheckpointError> {
    let (mut places, mut problems) = (BTreeSet::new(), Vec::new());
    for (name, expected) in shapes(outline) {
        match (stored.shape(&name), stored.precision_of(&name)) {
            (Some(found), _) if found != expected => {
                problems.push(format!("{name} has shape {found:?}, expected {expected:?}"));
            }
            (Some(_), Some(Err(dtype))) => {
                problems.push(format!("{name} is of type {dtype}, expected F32, F16 or BF16"));
            }
            (Some(_), _) => {}
            (None, _) => problems.push(format!("{name} is missing")),
        }
        places.insert(name);
    }
    let tied = outline.lm_head.is_none();
    let harmless = |name: &str| tied && name == HEAD || name.ends_with(".rotary_emb.inv_freq");
    let extra = stored.names().filter(|name| !places.contains(*name) && !harmless(name));
    problems.extend(extra.map(|name| format!("{name} has no place in the model")));
    if problems.is_empty() {
        return Ok(());
    }
    let more = problems.len().saturating_sub(MOST_PROBLEMS);
    if more > 0 {
        problems.truncate(MOST_PROBLEMS);
        problems.push(format!("and {more} more"));
    }
    Err(CheckpointError::Mismatch { problems })
}

/// More tensors than models have; a file made to do harm may have any number.
const MOST_PROBLEMS: usize = 5000;

/// Compares the head that is stored with the embedding that it is tied to: of two that differ, transformers ties neither.
fn check_tied(stored: &StoredTensors) -> Result<(), CheckpointError> {
    // As bits: what is not a number is told as such when it is loaded.
    let bits = |name| Ok(stored.read(name, 0)?.into_iter().map(f32::to_bits));
    let same = stored.shape(HEAD) == stored.shape(EMBEDDING) && bits(HEAD)?.eq(bits(EMBEDDING)?);
    if same {
        return Ok(());
    }
    let what = format!(
        "tie_word_embeddings is true, but {HEAD} is stored and differs from {EMBEDDING}; set it to false to use both"
    );
    Err(CheckpointError::Config { what })
}

/// Puts weights in their places.
struct Loader<'a> {
    stored: &'a StoredTensors,
    added: Option<&'a AddedTokens>,
    failed: Option<CheckpointError>,
    device: &'a Device,
}

impl Loader<'_> {
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let there = self.stored.shape(name).map_or(0, |shape| shape.iter().product());
        let mut values = self.stored.read(name, shape.iter().product::<usize>().saturating_sub(there))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(self.stored.failed(name, "holds a number that is not finite"));
        }
        match self.added {
            Some(added) if name == EMBEDDING => added.grow(&mut values, shape[1], 0),
            Some(added) if name == HEAD => added.grow(&mut values, shape[1], 1),
            _ => {}
        }
        Ok(values)
    }
}

impl Replace for Loader<'_> {
    fn replace<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.lazy_shape().to_vec();
        if self.failed.is_some() {
            return param;
        }
        match self.values(&name, &shape) {
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
