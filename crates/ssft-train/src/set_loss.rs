//! The set loss: the negative log-likelihood of every matched pair, with gradient.
//!
//! `-sum_j sum_t log p(r_{j,t} | x, g_{s(j)}, r_{j,<t})` over all tokens of all traces, divided by the number of
//! target tokens of the whole optimizer step (arXiv 2510.05132, section 3), so that accumulating over
//! micro-batches equals one large batch.

use crate::budget::Row;
use crate::matching::Assignment;
use crate::pairwise::target_nll;
use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_model::Decoder;
use ssft_model::packing::{Branch, PackedTrees, Tree};

/// Packs every trace behind the forking token that it is assigned to; the traces of a question share its prompt.
pub fn matched_trees(
    questions: &[&EncodedQuestion],
    assignments: &[Assignment],
    leads: &[Vec<u32>],
) -> PackedTrees {
    let both: Vec<_> = questions.iter().copied().zip(assignments).collect();
    let rows = |(index, (_, assignment)): (usize, &(_, &Assignment))| {
        (0..assignment.forks.len()).map(move |trace| (index, trace))
    };
    matched_rows(&both, &both.iter().enumerate().flat_map(rows).collect::<Vec<Row>>(), leads)
}

/// Packs some traces, question by question, each behind the forking token that it is assigned to.
pub fn matched_rows(
    questions: &[(&EncodedQuestion, &Assignment)],
    rows: &[Row],
    leads: &[Vec<u32>],
) -> PackedTrees {
    let tree = |rows: &[Row]| {
        let (question, assignment) = questions[rows[0].0];
        let branch = |&(_, trace): &Row| {
            Branch::new(&leads[assignment.forks[trace]], &question.traces[trace].tokens, usize::MAX)
        };
        Tree { prompt: question.prompt.clone(), branches: rows.iter().map(branch).collect() }
    };
    PackedTrees::new(&rows.chunk_by(|a, b| a.0 == b.0).map(tree).collect::<Vec<_>>())
}

/// The set loss of a packed batch, in nats per target token of the optimizer step.
///
/// # Shapes
/// Returns `[1]`.
pub fn set_loss(model: &Decoder, packed: &PackedTrees, step_targets: usize) -> Tensor<1> {
    target_nll(model, packed).sum() / step_targets as f64
}
