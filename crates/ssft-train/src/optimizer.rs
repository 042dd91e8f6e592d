//! AdamW over all parameters of a model, with its state kept by parameter name.
//!
//! The update rule is burn's; what is ours is the clipping by the norm of all gradients together and a state
//! that survives a restart: names are stable, parameter ids are not.

use crate::error::TrainError;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamW, AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer as _};
use burn::tensor::{Device, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use ssft_model::Decoder;
use ssft_model::checkpoint::NamedTensor;
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

/// AdamW with its moments.
#[derive(Clone)]
pub struct Optimizer {
    decayed: AdamW,
    plain: AdamW,
    clip_norm: f64,
    moments: BTreeMap<String, AdamWState<1>>,
}

impl std::fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Optimizer")
            .field("clip_norm", &self.clip_norm)
            .field("moments", &self.moments.len())
            .finish()
    }
}

impl Optimizer {
    /// An optimizer without moments yet.
    pub fn new(settings: &AdamWSettings) -> Self {
        let rule = |weight_decay: f64| {
            AdamWConfig::new()
                .with_beta_1(settings.beta1 as f32)
                .with_beta_2(settings.beta2 as f32)
                .with_epsilon(settings.epsilon as f32)
                .with_weight_decay(weight_decay as f32)
                .build()
        };
        Self {
            decayed: rule(settings.weight_decay),
            plain: rule(0.0),
            clip_norm: settings.clip_norm,
            moments: BTreeMap::new(),
        }
    }

    /// One update. `norm` is the [`gradient_norm`] of `gradients`, read back by the caller.
    pub fn update(&mut self, model: Decoder, gradients: GradientsParams, norm: f64, rate: f64) -> Decoder {
        let clipped = self.clip_norm > 0.0 && norm > self.clip_norm;
        let scale = if clipped { self.clip_norm / norm } else { 1.0 };
        model.map(&mut Update { optimizer: self, gradients, scale, rate, path: Vec::new() })
    }

    /// The moments as named tensors, with the number of updates they have seen.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn save(&self, step: usize) -> Result<(Vec<NamedTensor>, usize), TrainError> {
        let failed = |what: String| TrainError::Device { step, what };
        let mut tensors = Vec::with_capacity(2 * self.moments.len());
        let mut updates = 0;
        for (name, AdamWState { momentum }) in &self.moments {
            updates = momentum.time;
            for (kind, moment) in [(FIRST, &momentum.moment_1), (SECOND, &momentum.moment_2)] {
                let data =
                    moment.clone().into_data_async().await.map_err(|error| failed(error.to_string()))?;
                let values = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?;
                tensors.push(NamedTensor {
                    name: format!("{kind}.{name}"),
                    shape: vec![values.len()],
                    values,
                });
            }
        }
        Ok((tensors, updates))
    }

    /// Takes up the moments of a saved run.
    ///
    /// # Errors
    /// [`TrainError::State`] if a parameter of `model` has no moments of its size.
    pub fn restore(
        &mut self,
        model: &Decoder,
        mut tensors: BTreeMap<String, NamedTensor>,
        updates: usize,
        device: &Device,
    ) -> Result<(), TrainError> {
        let mut sizes = Sizes::default();
        model.visit(&mut sizes);
        for (name, size) in sizes.sizes {
            let mut moment = |kind: &str| match tensors.remove(&format!("{kind}.{name}")) {
                Some(found) if found.values.len() == size => {
                    Ok(Tensor::<1>::from_data(TensorData::new(found.values, [size]), device))
                }
                _ => Err(TrainError::State {
                    what: format!(
                        "optimizer.safetensors has no {kind} of {size} numbers for {name}; resume from another checkpoint"
                    ),
                }),
            };
            let momentum = AdaptiveMomentumState::new(updates, moment(FIRST)?, moment(SECOND)?);
            self.moments.insert(name, AdamWState::new(momentum));
        }
        Ok(())
    }
}

/// Names of the moments in the state file, as PyTorch calls them.
const FIRST: &str = "exp_avg";
const SECOND: &str = "exp_avg_sq";

/// Euclidean norm of all gradients together, still on the device, `[1]`.
pub fn gradient_norm(model: &Decoder, gradients: &GradientsParams) -> Tensor<1> {
    let mut squares = Squares { gradients, sums: Vec::new() };
    model.visit(&mut squares);
    Tensor::cat(squares.sums, 0).sum().sqrt()
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.sums.extend(self.gradients.get::<D>(param.id).map(|gradient| gradient.square().sum()));
    }
}

struct Update<'a> {
    optimizer: &'a mut Optimizer,
    gradients: GradientsParams,
    scale: f64,
    rate: f64,
    path: Vec<String>,
}

impl ModuleMapper for Update<'_> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let name = self.path.join(".");
        let (id, value, mapper) = param.consume();
        let shape = value.shape();
        let state = self.optimizer.moments.remove(&name);
        let rule = if D > 1 { &self.optimizer.decayed } else { &self.optimizer.plain };
        let gradient = gradient.flatten::<1>(0, D - 1) * self.scale;
        let (value, state) = rule.step(self.rate, value.inner().flatten::<1>(0, D - 1), gradient, state);
        if let Some(state) = state {
            self.optimizer.moments.insert(name, state);
        }
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

#[derive(Default)]
struct Sizes {
    path: Vec<String>,
    sizes: Vec<(String, usize)>,
}

impl ModuleVisitor for Sizes {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.sizes.push((self.path.join("."), param.lazy_shape().num_elements()));
    }
}
