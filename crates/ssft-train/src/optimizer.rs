//! AdamW over all parameters of a model, with its state kept by parameter name.
//!
//! One pass over each parameter ([`ssft_kernels::adamw`]), gradients clipped by the norm of all of them together, and
//! a state that survives a restart: names are stable, burn's parameter ids are not.

use crate::error::TrainError;
use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use ssft_kernels::{AdamW, Moments, adamw, sum_of_squares};
use ssft_model::parameters::{Replace, Visit, replace, shapes, visit};
use ssft_model::{Decoder, Precision, StoredTensors, TensorFile};
use std::collections::BTreeMap;

/// What AdamW needs besides a learning rate. Source: arXiv 1711.05101.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamWSettings {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
    /// Decay of matrices, times the learning rate; norms and biases do not decay.
    pub weight_decay: f64,
    /// Largest norm of all gradients together; 0 leaves them as they are.
    pub clip_norm: f64,
}

impl Default for AdamWSettings {
    /// What small decoders are usually trained with.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01, clip_norm: 1.0 }
    }
}

/// AdamW with its moments.
#[derive(Clone)]
pub struct Optimizer {
    settings: AdamWSettings,
    /// Updates done.
    updates: usize,
    /// By parameter name, each flat.
    moments: BTreeMap<String, Moments<1>>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, updates, moments } = self;
        write!(f, "Optimizer {{ {settings:?}, updates: {updates}, moments: {} }}", moments.len())
    }
}

impl Optimizer {
    /// An optimizer without moments yet.
    pub fn new(settings: &AdamWSettings) -> Self {
        Self { settings: *settings, updates: 0, moments: BTreeMap::new() }
    }

    /// One update. `norm` is the [`gradient_norm`] of `gradients`, read back by the caller.
    pub fn update(&mut self, model: Decoder, gradients: GradientsParams, norm: f64, rate: f64) -> Decoder {
        self.updates += 1;
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, clip_norm } = self.settings;
        let clipped = clip_norm > 0.0 && norm > clip_norm;
        let rule = AdamW {
            rate: rate as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: epsilon as f32,
            weight_decay: weight_decay as f32,
            scale: if clipped { (clip_norm / norm) as f32 } else { 1.0 },
            time: self.updates,
        };
        replace(model, &mut Update { moments: &mut self.moments, gradients, rule })
    }

    /// The moments as a file, with the number of updates they have seen.
    pub fn save(&self) -> (TensorFile, usize) {
        let mut file = TensorFile::new(Precision::F32);
        for (name, moments) in &self.moments {
            file.push(format!("{FIRST}.{name}"), moments.first.clone());
            file.push(format!("{SECOND}.{name}"), moments.second.clone());
        }
        (file, self.updates)
    }

    /// Takes up the moments of a saved run.
    ///
    /// # Errors
    /// [`TrainError::State`] if a parameter of `model` has no moments of its size; [`TrainError::Checkpoint`] if the file
    /// cannot be read any more.
    pub fn restore(
        &mut self,
        model: &Decoder,
        stored: &StoredTensors,
        updates: usize,
        device: &Device,
    ) -> Result<(), TrainError> {
        for (name, shape) in shapes(model) {
            let size: usize = shape.iter().product();
            let moment = |kind: &str| -> Result<Tensor<1>, TrainError> {
                let stored_name = format!("{kind}.{name}");
                if stored.shape(&stored_name) != Some(&[size]) {
                    return Err(TrainError::State {
                        what: format!(
                            "optimizer.safetensors has no {kind} of {size} numbers for {name}; resume from another checkpoint"
                        ),
                    });
                }
                Ok(Tensor::from_data(TensorData::new(stored.read(&stored_name, 0)?, [size]), device))
            };
            let moments = Moments { first: moment(FIRST)?, second: moment(SECOND)? };
            self.moments.insert(name, moments);
        }
        self.updates = updates;
        Ok(())
    }
}

/// Names of the moments in the state file, as PyTorch calls them.
const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";

/// Euclidean norm of all gradients together, still on the device, `[1]`.
pub fn gradient_norm(model: &Decoder, gradients: &GradientsParams) -> Tensor<1> {
    let mut squares = Squares { gradients, sums: Vec::new() };
    visit(model, &mut squares);
    Tensor::cat(squares.sums, 0).sum().sqrt()
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl Visit for Squares<'_> {
    fn visit<const D: usize>(&mut self, _name: String, param: &Param<Tensor<D>>) {
        self.sums.extend(self.gradients.get::<D>(param.id).map(sum_of_squares));
    }
}

struct Update<'a> {
    moments: &'a mut BTreeMap<String, Moments<1>>,
    gradients: GradientsParams,
    rule: AdamW,
}

impl Replace for Update<'_> {
    fn replace<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let (id, value, mapper) = param.consume();
        let (shape, value) = (value.shape(), value.inner().flatten::<1>(0, D - 1));
        let zeros = || Tensor::zeros([shape.num_elements()], &value.device());
        let moments = self.moments.remove(&name);
        let moments = moments.unwrap_or_else(|| Moments { first: zeros(), second: zeros() });
        // Norms and biases do not decay.
        let weight_decay = if D > 1 { self.rule.weight_decay } else { 0.0 };
        let rule = AdamW { weight_decay, ..self.rule };
        let (value, moments) = adamw(value, gradient.flatten::<1>(0, D - 1), moments, &rule);
        self.moments.insert(name, moments);
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}
