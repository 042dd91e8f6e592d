//! What a training pass minimises.

use burn::tensor::Tensor;
use ssft_model::Decoder;
use ssft_model::packing::PackedTrees;

/// A scalar loss of a packed training pass, in two phases, so that the caller may read the terms back before the scalar
/// is fixed.
///
/// [`SetLoss`](crate::set_loss::SetLoss) is the objective of a step;
/// [`WeightedSetLoss`](crate::set_loss::WeightedSetLoss) drops the rows that were trained under a wrong fork.
pub trait Objective {
    /// The forward pass: the terms of the loss, tracked by autodiff.
    ///
    /// # Shapes
    /// Returns `[terms]`; one term per target of `packed` for the set loss.
    fn terms(&self, model: &Decoder, packed: &PackedTrees) -> Tensor<1>;

    /// The scalar to minimise, from the terms of one pass. The losses of the passes of a step add up.
    ///
    /// # Shapes
    /// `terms [terms]`; returns `[1]`.
    fn loss(&self, terms: Tensor<1>) -> Tensor<1>;
}
