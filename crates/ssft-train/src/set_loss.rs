//! 3. The set loss: the negative log-likelihood of every matched pair, with gradient.
//!
//! `-sum_j sum_t log p(r_{j,t} | x, g_{s(j)}, r_{j,<t})` over all tokens of all matched traces, divided by the number of
//! target tokens of the whole optimizer step (arXiv 2510.05132, section 3). The denominator covers all passes of the
//! step, so that the sum over micro-batches equals one large batch. Prompts and forking tokens are no targets.
//!
//! Example: a step of two passes, with target NLLs (0.2, 0.1, 0.3) and (0.3, 0.9) nats. The step has 5 targets, the set
//! losses of the passes are 0.6 / 5 and 1.2 / 5, and their sum 0.36 is the mean over all targets.

use crate::budget::TrainedTrace;
use crate::matching::Assignment;
use crate::nll::target_nll;
use crate::objective::Objective;
use burn::tensor::{Tensor, TensorData};
use ssft_data::encode::EncodedQuestion;
use ssft_model::Decoder;
use ssft_model::packing::{Branch, PackedTrees, Tree};

/// A question and the forks that its traces are trained under.
pub type Matched<'a> = (&'a EncodedQuestion, &'a Assignment);

/// Packs the given rows (traces), each behind the lead of the fork that it is assigned to. Consecutive rows of one question
/// share its prompt.
///
/// `leads[i]` holds the token ids between prompt and trace for fork i: its forking token, then the fixed tokens after it.
///
/// # Panics
/// If `rows` is empty, or names a question, trace or fork that does not exist.
pub fn matched_rows(questions: &[Matched<'_>], rows: &[TrainedTrace], leads: &[Vec<u32>]) -> PackedTrees {
    let tree = |rows: &[TrainedTrace]| {
        let (question, assignment) = questions[rows[0].0];
        let branch = |&(_, trace): &TrainedTrace| {
            Branch::new(&leads[assignment.forks[trace]], &question.traces[trace].tokens, usize::MAX)
        };
        Tree { prompt: question.prompt.clone(), branches: rows.iter().map(branch).collect() }
    };
    PackedTrees::new(&rows.chunk_by(|a, b| a.0 == b.0).map(tree).collect::<Vec<_>>())
}

/// The set loss of a pass, from the NLL of its targets: their sum divided by the target tokens of the whole step, in nats
/// per target token.
///
/// # Shapes
/// `nll [targets]`; returns `[1]`.
pub fn set_loss(nll: Tensor<1>, step_targets: usize) -> Tensor<1> {
    nll.sum() / step_targets as f64
}

/// The objective of a step: the set loss of all rows of a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetLoss {
    /// Target tokens of the whole optimizer step.
    pub step_targets: usize,
}

impl Objective for SetLoss {
    fn terms(&self, model: &Decoder, packed: &PackedTrees) -> Tensor<1> {
        target_nll(model, packed)
    }

    fn loss(&self, terms: Tensor<1>) -> Tensor<1> {
        set_loss(terms, self.step_targets)
    }
}

/// The set loss of a pass in which every target has a weight: 0 for targets of a row under a wrong fork, 1 otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightedSetLoss {
    /// The objective without weights. Its denominator counts every target of the step once; a trace of weight 0 is trained
    /// in another pass.
    pub set_loss: SetLoss,
    /// `[targets]`.
    pub weights: Vec<f32>,
}

impl Objective for WeightedSetLoss {
    fn terms(&self, model: &Decoder, packed: &PackedTrees) -> Tensor<1> {
        self.set_loss.terms(model, packed)
    }

    fn loss(&self, terms: Tensor<1>) -> Tensor<1> {
        let weights = TensorData::new(self.weights.clone(), [self.weights.len()]);
        let weights = Tensor::from_data(weights, &terms.device());
        self.set_loss.loss(terms * weights)
    }
}
