//! AdamW over the parameters of a model; its state is kept by parameter name.
//!
//! Each parameter is updated in one pass ([`ssft_kernels::adamw`]). A parameter without gradient, because it is not trained,
//! stays as it is and has no state. Names survive a restart; burn's parameter ids do not.

use crate::error::TrainError;
use burn::module::Param;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use ssft_kernels::{AdamW, Moments, adamw};
use ssft_model::parameters::{Replace, replace, shapes};
use ssft_model::trained::{Trained, TrainedPart};
use ssft_model::{Decoder, Precision, StoredTensors, TensorFile};
use std::collections::BTreeMap;

/// Settings of AdamW and of gradient clipping, besides the learning rate. Source: arXiv 1711.05101.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AdamWSettings {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the square root of the second moment.
    pub epsilon: f64,
    /// Weight decay of matrices, times the learning rate; norms and biases do not decay.
    pub weight_decay: f64,
    /// Largest Euclidean norm of all gradients together; 0 turns clipping off.
    pub clip_norm: f64,
}

impl Default for AdamWSettings {
    /// Common values for small decoders.
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.01, clip_norm: 1.0 }
    }
}

/// AdamW with its moments.
#[derive(Clone)]
pub struct Optimizer {
    settings: AdamWSettings,
    /// Number of updates so far.
    updates: usize,
    /// By parameter name, flat; of a parameter that is trained in part, those of that part.
    moments: BTreeMap<String, Moments<1>>,
    trained: Trained,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, updates, moments, trained } = self;
        let moments = moments.len();
        write!(
            f,
            "Optimizer {{ {settings:?}, updates: {updates}, moments: {moments}, trained: {trained:?} }}"
        )
    }
}

/// Names of the moments in the state file, as in PyTorch.
const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";

impl Optimizer {
    /// An optimizer of the `trained` parameters before its first update.
    pub fn new(settings: &AdamWSettings, trained: Trained) -> Self {
        Self { settings: *settings, updates: 0, moments: BTreeMap::new(), trained }
    }

    /// The parameters that it updates.
    pub fn trained(&self) -> &Trained {
        &self.trained
    }

    /// One update with learning rate `rate`. Gradients are multiplied by `clip`, the
    /// [`clip_factor`](crate::gradients::clip_factor) of the step.
    pub fn update(&mut self, model: Decoder, gradients: GradientsParams, clip: f32, rate: f64) -> Decoder {
        self.updates += 1;
        let AdamWSettings { beta1, beta2, epsilon, weight_decay, clip_norm: _ } = self.settings;
        let rule = AdamW {
            rate: rate as f32,
            beta1: beta1 as f32,
            beta2: beta2 as f32,
            epsilon: epsilon as f32,
            weight_decay: weight_decay as f32,
            scale: clip,
            time: self.updates,
        };
        replace(model, &mut Update { moments: &mut self.moments, trained: &self.trained, gradients, rule })
    }

    /// The moments as a file, and the number of updates behind them.
    pub fn save(&self) -> (TensorFile, usize) {
        let mut file = TensorFile::new(Precision::F32);
        for (name, moments) in &self.moments {
            file.push(format!("{FIRST}.{name}"), moments.first.clone());
            file.push(format!("{SECOND}.{name}"), moments.second.clone());
        }
        (file, self.updates)
    }

    /// Replaces the moments by those of a saved run.
    ///
    /// # Errors
    /// [`TrainError::State`] if a parameter of `model` has no moments of its size; [`TrainError::Checkpoint`] if the file
    /// cannot be read.
    pub fn restore(
        &mut self,
        model: &Decoder,
        stored: &StoredTensors,
        updates: usize,
        device: &Device,
    ) -> Result<(), TrainError> {
        for (name, shape) in shapes(model) {
            let size: usize = match self.trained.part(&name) {
                TrainedPart::Whole => shape.iter().product(),
                TrainedPart::Rows(rows) => rows.len() * shape[1..].iter().product::<usize>(),
                TrainedPart::Nothing => continue,
            };
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

struct Update<'a> {
    moments: &'a mut BTreeMap<String, Moments<1>>,
    trained: &'a Trained,
    gradients: GradientsParams,
    rule: AdamW,
}

impl Replace for Update<'_> {
    fn replace<const D: usize>(&mut self, name: String, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Not trained: no gradient, no change.
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let part = self.trained.part(&name);
        let Some(gradient) = part.select(gradient) else { return param };
        let (id, value, mapper) = param.consume();
        let value = match part {
            TrainedPart::Rows(_) => {
                let whole = value.inner();
                match part.select(whole.clone()) {
                    Some(rows) => part.assign(whole, self.updated(name, rows, gradient)),
                    None => whole,
                }
            }
            // Moved, so that the update is in place.
            TrainedPart::Whole | TrainedPart::Nothing => self.updated(name, value.inner(), gradient),
        };
        Param::from_mapped_value(id, Tensor::from_inner(value).require_grad(), mapper)
    }
}

impl Update<'_> {
    /// The updated values of a parameter, or of the trained part of it.
    fn updated<const D: usize>(&mut self, name: String, value: Tensor<D>, gradient: Tensor<D>) -> Tensor<D> {
        let (shape, value) = (value.shape(), value.flatten::<1>(0, D - 1));
        let zeros = || Tensor::zeros([shape.num_elements()], &value.device());
        let moments = self.moments.remove(&name);
        let moments = moments.unwrap_or_else(|| Moments { first: zeros(), second: zeros() });
        // Norms and biases do not decay.
        let weight_decay = if D > 1 { self.rule.weight_decay } else { 0.0 };
        let rule = AdamW { weight_decay, ..self.rule };
        let (value, moments) = adamw(value, gradient.flatten::<1>(0, D - 1), moments, &rule);
        self.moments.insert(name, moments);
        value.reshape(shape)
    }
}
