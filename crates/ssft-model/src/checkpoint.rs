//! Loading a model: from the tensors of a Hugging Face directory to a [`Decoder`].
//!
//! Not here: reading files ([`crate::stored`]), and the other files of the directory ([`crate::directory`]).

use crate::added::{AddedTokens, Table};
use crate::config::DecoderConfig;
use crate::decoder::Decoder;
use crate::initializer::Initializer;
use crate::parameters::{EMBEDDING, HEAD, Replace, replace, shapes};
use crate::stored::StoredTensors;
use burn::module::Param;
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeSet;

pub use crate::error::CheckpointError;
pub use crate::stored::NamedTensor;

/// Ending of the names under which old checkpoints store the frequencies of the rotary embedding.
const ROTARY_FREQUENCIES: &str = ".rotary_emb.inv_freq";

/// Most problems that a message lists. No model has more tensors; a malicious file may have any number.
const MOST_PROBLEMS: usize = 5000;

/// Loads a model of shape `config` with the weights in `stored`, and gives it rows for the tokens in `added`.
///
/// Tensors are read one at a time, converted to f32 and copied to `device`, so that the host needs memory for one tensor
/// besides the model. A tied head may be stored if it equals the embedding; it is compared before the model is loaded.
/// Rotary frequencies in old checkpoints are ignored: they follow from `config`.
///
/// # Errors
/// [`CheckpointError::Mismatch`] with every tensor that is missing, unexpected, or of another shape or an unsupported type;
/// [`CheckpointError::Weights`] if a number is not finite or reading a file fails; [`CheckpointError::Config`] if the head
/// is tied but a different one is stored.
pub fn load(
    config: &DecoderConfig,
    stored: &StoredTensors,
    added: Option<&AddedTokens>,
    device: &Device,
) -> Result<Decoder, CheckpointError> {
    // Checked first: the outline below takes memory for every layer.
    if config.num_hidden_layers > stored.len() {
        let (layers, tensors) = (config.num_hidden_layers, stored.len());
        let problem = format!("{layers} layers cannot be in {tensors} tensors");
        return Err(CheckpointError::Mismatch { problems: vec![problem] });
    }
    let outline = Decoder::build(config, &mut Initializer::Deferred, device);
    check(&outline, stored)?;
    if outline.lm_head.is_none() && stored.shape(HEAD).is_some() {
        check_tied(stored)?;
    }
    let grown =
        DecoderConfig { vocab_size: added.map_or(config.vocab_size, |added| added.rows), ..config.clone() };
    let mut loader = Loader { stored, added, failed: None, device };
    let model = replace(Decoder::build(&grown, &mut Initializer::Deferred, device), &mut loader);
    loader.failed.map_or(Ok(model), Err)
}

/// Compares names, shapes and types of the parameters of `outline` with the stored tensors.
fn check(outline: &Decoder, stored: &StoredTensors) -> Result<(), CheckpointError> {
    let (mut expected_names, mut problems) = (BTreeSet::new(), Vec::new());
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
        expected_names.insert(name);
    }
    let tied = outline.lm_head.is_none();
    let harmless = |name: &str| tied && name == HEAD || name.ends_with(ROTARY_FREQUENCIES);
    let extra = stored.names().filter(|name| !expected_names.contains(*name) && !harmless(name));
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

/// Refuses a stored head that differs from the embedding it is tied to; transformers does not tie such a head.
fn check_tied(stored: &StoredTensors) -> Result<(), CheckpointError> {
    // As bits, so that NaN equals itself here and is reported as such when it is loaded.
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

/// Replaces parameters by stored tensors. After a failure the rest of the parameters stay as they are.
struct Loader<'a> {
    stored: &'a StoredTensors,
    added: Option<&'a AddedTokens>,
    failed: Option<CheckpointError>,
    device: &'a Device,
}

impl Loader<'_> {
    /// Numbers of a parameter, with the rows of added tokens.
    fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let size = |shape: &[usize]| shape.iter().product::<usize>();
        let stored_size = self.stored.shape(name).map_or(0, size);
        let mut values = self.stored.read(name, size(shape).saturating_sub(stored_size))?;
        if !values.iter().all(|value| value.is_finite()) {
            return Err(self.stored.failed(name, "holds a number that is not finite"));
        }
        match self.added {
            Some(added) if name == EMBEDDING => added.grow(&mut values, shape[1], Table::Embedding),
            Some(added) if name == HEAD => added.grow(&mut values, shape[1], Table::Head),
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
