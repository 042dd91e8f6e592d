//! The set loss: the negative log-likelihood of every matched pair, with gradient.
//!
//! `-sum_j sum_t log p(r_{j,t} | x, g_{s(j)}, r_{j,<t})` over all tokens of all traces, divided by the number of
//! target tokens of the whole optimizer step (arXiv 2510.05132, section 3), so that accumulating over
//! micro-batches equals one large batch.

use crate::matching::Assignment;
use crate::pairwise::target_nll;
use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_data::pack::{Branch, PackedTrees, Tree};
use ssft_model::Decoder;

/// Packs every trace behind the forking token that it is assigned to; the traces of a question share its prompt.
pub fn matched_trees(
    questions: &[&EncodedQuestion],
    assignments: &[Assignment],
    leads: &[Vec<u32>],
) -> PackedTrees {
    let tree = |(question, assignment): (&&EncodedQuestion, &Assignment)| Tree {
        prompt: question.prompt.clone(),
        branches: (assignment.forks.iter().zip(&question.traces))
            .map(|(&fork, trace)| Branch::new(&leads[fork], &trace.tokens, usize::MAX))
            .collect(),
    };
    PackedTrees::new(&questions.iter().zip(assignments).map(tree).collect::<Vec<_>>())
}

/// The set loss of a packed batch, in nats per target token of the optimizer step.
///
/// # Shapes
/// Returns `[1]`.
pub fn set_loss(model: &Decoder, packed: &PackedTrees, step_targets: usize) -> Tensor<1> {
    target_nll(model, packed).sum() / step_targets as f64
}
