//! From the losses of the passes of a step to the gradients of its update.
//!
//! ```text
//! loss of a pass ─> backward ─> accumulate ─> exchange ─> norm ─> clip ─> optimizer
//! ```

use crate::error::TrainError;
use crate::nll::read_back;
use burn::module::Param;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use ssft_kernels::sum_of_squares;
use ssft_model::Decoder;
use ssft_model::parameters::{Visit, visit};
use ssft_model::trained::Trained;

/// Sum of the gradients and losses of the passes of a step, one backward pass at a time.
pub struct Accumulation {
    gradients: GradientsAccumulator<Decoder>,
    losses: Vec<Tensor<1>>,
}

impl Accumulation {
    /// Nothing accumulated.
    pub fn new() -> Self {
        Self { gradients: GradientsAccumulator::new(), losses: Vec::new() }
    }

    /// Runs the backward pass of `loss` (`[1]`, tracked) and adds its gradients with respect to `model`.
    pub fn backward(&mut self, model: &Decoder, loss: Tensor<1>) {
        self.losses.push(loss.clone().inner());
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        self.gradients.accumulate(model, gradients);
    }

    /// Loss and gradients of the step.
    ///
    /// # Panics
    /// If no backward pass was run.
    pub fn total(mut self) -> StepGradients {
        let gradients = self.gradients.grads();
        StepGradients { gradients, loss: Tensor::cat(self.losses, 0).sum() }
    }
}

impl Default for Accumulation {
    fn default() -> Self {
        Self::new()
    }
}

/// Loss and gradients of a whole step, on the device.
pub struct StepGradients {
    /// By parameter id.
    pub gradients: GradientsParams,
    /// `[1]`: nats per target token.
    pub loss: Tensor<1>,
}

/// Sum of loss and gradients over the processes that share a step. [`Alone`], one process, is the only implementation.
///
/// Every process divides by the target tokens of the whole step, so that an exchange is a sum.
pub trait Exchange {
    /// Replaces the loss and gradients of this process by their sums over all processes.
    fn exchange(&self, model: &Decoder, own: StepGradients) -> StepGradients;
}

/// One process trains alone: the exchange is the identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alone;

impl Exchange for Alone {
    fn exchange(&self, _model: &Decoder, own: StepGradients) -> StepGradients {
        own
    }
}

/// Loss and gradient norm of a step, on the host; both are finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Nats per target token.
    pub loss: f64,
    /// Euclidean norm of all gradients together, before clipping.
    pub norm: f64,
}

impl StepGradients {
    /// Reads loss and gradient norm back, both in one readback.
    ///
    /// # Errors
    /// [`TrainError::NotFinite`] if one of them is NaN or infinite, [`TrainError::Device`] if the readback fails.
    pub async fn measure(
        &self,
        model: &Decoder,
        trained: &Trained,
        step: usize,
    ) -> Result<Measured, TrainError> {
        let norm = gradient_norm(model, &self.gradients, trained);
        let both = Tensor::cat(vec![self.loss.clone(), norm], 0);
        let values = read_back(both, step).await?;
        for (what, value) in [("the loss", values[0]), ("the gradient norm", values[1])] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite { step, what, value });
            }
        }
        Ok(Measured { loss: f64::from(values[0]), norm: f64::from(values[1]) })
    }
}

/// Euclidean norm of the gradients of all trained parameters together, on the device, `[1]`.
pub fn gradient_norm(model: &Decoder, gradients: &GradientsParams, trained: &Trained) -> Tensor<1> {
    let mut squares = Squares { gradients, trained, sums: Vec::new() };
    visit(model, &mut squares);
    Tensor::cat(squares.sums, 0).sum().sqrt()
}

/// Factor that scales gradients of norm `norm` down to at most `clip_norm`; 1 if `clip_norm` is 0 (no clipping).
pub fn clip_factor(norm: f64, clip_norm: f64) -> f32 {
    if clip_norm > 0.0 && norm > clip_norm { (clip_norm / norm) as f32 } else { 1.0 }
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    trained: &'a Trained,
    sums: Vec<Tensor<1>>,
}

impl Visit for Squares<'_> {
    fn visit<const D: usize>(&mut self, name: String, param: &Param<Tensor<D>>) {
        let gradient = self.gradients.get::<D>(param.id);
        let trained = gradient.and_then(|gradient| self.trained.part(&name).select(gradient));
        self.sums.extend(trained.map(sum_of_squares));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipping_scales_down_only() {
        assert_eq!(clip_factor(4.0, 1.0), 0.25);
        assert_eq!(clip_factor(0.5, 1.0), 1.0);
        assert_eq!(clip_factor(4.0, 0.0), 1.0, "0 turns clipping off");
    }
}
