//! Whole cost matrices, in passes that fit the memory budget.

use crate::bounds::CostBounds;
use crate::budget::{Budget, cut};
use crate::cost::{CostMatrix, CostTokens};
use crate::error::TrainError;
use crate::extension::Extension;
use crate::pairwise::{Pairs, read_all};
use ssft_data::encode::EncodedQuestion;
use ssft_model::Decoder;
use std::ops::Range;

/// Computes pairwise costs under one state of the weights.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_data::encode::{EncodedQuestion, EncodedTrace};
/// use ssft_model::{Decoder, DecoderConfig, config::Preset};
/// use ssft_train::{Assignment, CostEvaluator};
///
/// let model = Decoder::init(&DecoderConfig::preset(Preset::Tiny, 40), 1, &Device::flex());
/// let trace = |tokens: &[u32]| EncodedTrace { source: String::new(), tokens: tokens.to_vec() };
/// let question = EncodedQuestion {
///     id: "q1".to_owned(),
///     prompt: vec![1, 2, 3],
///     traces: vec![trace(&[4, 5, 0]), trace(&[6, 7, 8, 0])],
///     answer: None,
/// };
/// // Three forks with the forking tokens 30, 31 and 32; costs over the first 3 tokens of a trace.
/// let leads = [vec![30], vec![31], vec![32]];
/// let evaluator = CostEvaluator::new(&model, &leads, 3);
/// let costs = pollster::block_on(evaluator.cost_matrix(&question))?;
/// assert_eq!((costs.forks, costs.traces), (3, 2));
/// // A model with random weights is near the uniform distribution over 40 tokens: ln 40 = 3.69 nats per token.
/// assert!(costs.values.iter().all(|cost| (cost - 3.69).abs() < 0.5));
/// assert_eq!(Assignment::optimal(&costs).map(|matching| matching.forks.len()), Ok(2));
/// # Ok::<(), ssft_train::TrainError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CostEvaluator<'a> {
    /// The model, not tracked by autodiff.
    pub model: &'a Decoder,
    /// `[forks]`: the tokens between prompt and trace, i.e. the forking token and the fixed tokens after it.
    pub leads: &'a [Vec<u32>],
    /// L: trace tokens that enter a cost.
    pub match_tokens: usize,
    /// Sizes of the passes.
    pub budget: Budget,
    /// Optimizer step, for errors.
    pub step: usize,
}

impl<'a> CostEvaluator<'a> {
    /// An evaluator without a memory limit, outside of any training step.
    pub fn new(model: &'a Decoder, leads: &'a [Vec<u32>], match_tokens: usize) -> Self {
        Self { model, leads, match_tokens, budget: Budget::unlimited(), step: 0 }
    }

    /// The cost matrix of one question.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn cost_matrix(&self, question: &EncodedQuestion) -> Result<CostMatrix, TrainError> {
        let (mut costs, _) = self.cost_matrices(&[&[question]]).await?;
        Ok(costs.remove(0))
    }

    /// The cost matrices of all questions of all micro-batches, in one readback, and the tokens that they took.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn cost_matrices(
        &self,
        batches: &[&[&EncodedQuestion]],
    ) -> Result<(Vec<CostMatrix>, CostTokens), TrainError> {
        let mut groups = Vec::new();
        for batch in batches {
            for group in self.budget.matrices(batch, self.leads, self.match_tokens) {
                groups.push(self.whole(&batch[group]));
            }
        }
        read_all(&mut groups, self.step).await?;
        let mut tokens = CostTokens::default();
        groups.iter().for_each(|pairs| tokens += pairs.cost_tokens());
        let costs = groups.iter().flat_map(|pairs| pairs.bounds.iter().map(CostBounds::matrix));
        Ok((costs.collect(), tokens))
    }

    /// All losses of some questions, unread: in one pass if the budget allows it, else in one pass of prompts and leads, then
    /// passes of branches with at most `cost_tokens` tokens each.
    pub(crate) fn whole<'q>(&self, questions: &'q [&'q EncodedQuestion]) -> Pairs<'q>
    where
        'a: 'q,
    {
        if self.budget.takes(questions, self.leads, self.match_tokens) {
            return Pairs::whole(self.model, questions, self.leads, self.match_tokens);
        }
        let mut pairs = self.start(questions);
        let of_question = |(question, bounds): (usize, &CostBounds)| {
            bounds.after_first().into_iter().map(move |branch| (question, branch)).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = pairs.bounds.iter().enumerate().flat_map(of_question).collect();
        for pass in self.passes(&wanted) {
            pairs.finish(&wanted[pass]);
        }
        pairs.drop_cache();
        pairs
    }

    /// The first loss of every pair of some questions, unread, with a cache to extend branches from.
    pub(crate) fn start<'q>(&self, questions: &'q [&'q EncodedQuestion]) -> Pairs<'q>
    where
        'a: 'q,
    {
        Pairs::start(self.model, questions, self.leads, self.match_tokens)
    }

    /// Cuts extensions into passes that fit the budget.
    pub(crate) fn passes(&self, wanted: &[(usize, Extension)]) -> Vec<Range<usize>> {
        let sizes: Vec<usize> = wanted.iter().map(|(_, branch)| branch.tokens()).collect();
        cut(&sizes, self.budget.cost_tokens)
    }
}
