//! Which parameters are trained: all of them, or some rows of the embedding and the head.
//!
//! Training only the rows of new tokens keeps all other weights of a model, and needs gradients and optimizer state for
//! the two tables only. [`freeze`] tells autodiff which parameters to track;
//! [`Trained::part`] tells an optimizer what to update. Updating itself is in `ssft-train`.

use crate::decoder::Decoder;
use crate::parameters::{EMBEDDING, HEAD, Replace, replace};
use crate::row_index::row_index;
use burn::module::Param;
use burn::tensor::{IndexingUpdateOp, Tensor};

/// The parameters that are trained.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trained {
    /// All parameters.
    #[default]
    All,
    /// These rows of the embedding and, unless it is tied, of the head: token ids in ascending order.
    Rows(Vec<u32>),
}

/// The part of one parameter that is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrainedPart<'a> {
    /// The whole parameter.
    Whole,
    /// These rows, in ascending order.
    Rows(&'a [u32]),
    /// Nothing; the parameter has no gradient.
    Nothing,
}

impl Trained {
    /// The trained part of the parameter with this name, for example [`EMBEDDING`].
    pub fn part(&self, name: &str) -> TrainedPart<'_> {
        match self {
            Self::All => TrainedPart::Whole,
            Self::Rows(rows) if name == EMBEDDING || name == HEAD => TrainedPart::Rows(rows),
            Self::Rows(_) => TrainedPart::Nothing,
        }
    }
}

impl TrainedPart<'_> {
    /// The trained part of a parameter, or of its gradient or moments. `None` if nothing is trained.
    ///
    /// # Shapes
    /// `tensor [rows, ..]`; returns the same shape, or `[trained rows, ..]`.
    pub fn select<const D: usize>(self, tensor: Tensor<D>) -> Option<Tensor<D>> {
        match self {
            Self::Whole => Some(tensor),
            Self::Rows(rows) => {
                let index = row_index(rows, &tensor.device());
                Some(tensor.select(0, index))
            }
            Self::Nothing => None,
        }
    }

    /// `tensor` with its trained part replaced by `part`, which has the shape that [`TrainedPart::select`] returns.
    ///
    /// # Shapes
    /// `tensor [rows, ..]`; returns the same shape.
    pub fn assign<const D: usize>(self, tensor: Tensor<D>, part: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Whole => part,
            Self::Rows(rows) => {
                let index = row_index(rows, &tensor.device());
                tensor.select_assign(0, index, part, IndexingUpdateOp::Assign)
            }
            Self::Nothing => tensor,
        }
    }
}

/// The same model, in which autodiff tracks the parameters with a trained part and no others.
///
/// A table of which some rows are trained is tracked as a whole: its gradient has all rows, and
/// [`TrainedPart::select`] gives the trained ones.
///
/// # Panics
/// If [`Trained::Rows`] is empty, not strictly ascending, or exceeds the vocabulary.
pub fn freeze(model: Decoder, trained: &Trained) -> Decoder {
    if let Trained::Rows(rows) = trained {
        let vocab = model.config().vocab_size;
        assert!(rows.is_sorted_by(|a, b| a < b), "rows to train must ascend");
        assert!(
            rows.last().is_some_and(|&last| (last as usize) < vocab),
            "rows to train of {vocab}: {rows:?}"
        );
    }
    replace(model, &mut Freeze(trained))
}

struct Freeze<'a>(&'a Trained);

impl Replace for Freeze<'_> {
    fn replace<const D: usize>(&mut self, name: String, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.set_require_grad(self.0.part(&name) != TrainedPart::Nothing)
    }
}
