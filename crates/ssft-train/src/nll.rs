//! Negative log-likelihoods (NLL) of the targets of a packed pass: computed on the device, read back to the host.

use crate::error::TrainError;
use burn::tensor::Tensor;
use ssft_kernels::linear_nll;
use ssft_model::Decoder;
use ssft_model::packing::PackedTrees;

/// NLL of every target of a packed pass, in nats. Tracked by autodiff if the weights are.
///
/// # Shapes
/// Returns `[targets]`, in the order of `packed.target_tokens`.
pub fn target_nll(model: &Decoder, packed: &PackedTrees) -> Tensor<1> {
    linear_nll(model.forward(packed), model.head(), &packed.targets())
}

/// The numbers of a tensor, on the host. `step` is named in the error.
///
/// # Errors
/// [`TrainError::Device`] if the readback fails.
pub(crate) async fn read_back(tensor: Tensor<1>, step: usize) -> Result<Vec<f32>, TrainError> {
    let failed = |what: String| TrainError::Device { step, what };
    let data = tensor.into_data_async().await.map_err(|error| failed(error.to_string()))?;
    data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))
}
