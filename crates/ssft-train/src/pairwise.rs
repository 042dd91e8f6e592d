//! The pairwise loss matrix: every trace under every fork, without gradient.
//!
//! `C[i, j] = -(1/l) * sum_{t=1..l} log p(r_{j,t} | x, g_i, r_{j,<t})`, `l = min(L, T_j)`
//! (arXiv 2510.05132, section 3). The prompt of a question is encoded once for its N x M branches, and a
//! branch holds no more than the L tokens that count.

use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_data::pack::{Branch, PackedTrees, Tree};
use ssft_kernels::{Targets, linear_nll, segment_mean};
use ssft_model::Decoder;

/// Costs of all pairs of a batch, still on the device.
#[derive(Debug)]
pub struct PairCosts {
    /// `[sum over questions of N * M]`: question by question, fork by fork, trace by trace.
    pub costs: Tensor<1>,
    /// N and M of each question.
    pub shapes: Vec<(usize, usize)>,
}

impl PairCosts {
    /// The costs of several batches as those of one.
    ///
    /// # Panics
    /// If there is no batch.
    pub fn join(parts: Vec<Self>) -> Self {
        let shapes = parts.iter().flat_map(|part| part.shapes.iter().copied()).collect();
        Self { costs: Tensor::cat(parts.into_iter().map(|part| part.costs).collect(), 0), shapes }
    }
}

/// Computes the costs of all pairs of a batch.
///
/// `leads[i]` is what stands between prompt and trace for fork i: its forking token, and what follows it by rule.
pub fn pairwise(
    model: &Decoder,
    questions: &[&EncodedQuestion],
    leads: &[Vec<u32>],
    match_tokens: usize,
) -> PairCosts {
    let trees: Vec<Tree> =
        questions.iter().map(|question| all_pairs(question, leads, match_tokens)).collect();
    let packed = PackedTrees::new(&trees);
    let nll = target_nll(model, &packed);
    PairCosts {
        costs: segment_mean(nll, &packed.target_lengths),
        shapes: questions.iter().map(|question| (leads.len(), question.traces.len())).collect(),
    }
}

fn all_pairs(question: &EncodedQuestion, leads: &[Vec<u32>], match_tokens: usize) -> Tree {
    let pairs = leads.iter().flat_map(|lead| question.traces.iter().map(move |trace| (lead, trace)));
    Tree {
        prompt: question.prompt.clone(),
        branches: pairs.map(|(lead, trace)| Branch::new(lead, &trace.tokens, match_tokens)).collect(),
    }
}

/// Negative log-likelihood of every target of a packed batch, in nats.
///
/// # Shapes
/// Returns `[targets]`, in the order of `packed.targets`.
pub(crate) fn target_nll(model: &Decoder, packed: &PackedTrees) -> Tensor<1> {
    let targets = Targets::new(&packed.target_rows, &packed.targets);
    linear_nll(model.forward(packed), model.head(), &targets)
}
