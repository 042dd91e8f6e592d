//! Who is trained under which fork: the way of each arm from questions to assignments.

use crate::budget::{Budget, cut};
use crate::cost::CostMatrix;
use crate::error::TrainError;
use crate::matching::{Assignment, MatchingError};
use crate::pairwise::{Pairs, read_all};
use crate::search::{Extension, Next, PartialCosts};
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;
use ssft_model::Decoder;
use std::ops::Range;

/// A pass is for so many tokens, if there are as many to read: a smaller one takes hardly less time.
const LEAST_TOKENS: usize = 60;

/// How the optimal matching is found; it is the same either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// From the whole N x M matrix.
    Full,
    /// From as much of it as proves the optimum.
    Lazy,
}

/// What the search for matchings works with.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    /// The weights as they stand, untracked.
    pub model: &'a Decoder,
    /// What stands between prompt and trace, for each fork.
    pub leads: &'a [Vec<u32>],
    /// L.
    pub match_tokens: usize,
    /// What fits into memory.
    pub budget: Budget,
    /// Number of the step, for errors.
    pub step: usize,
}

/// The matching of a question, as far as the search has got.
#[derive(Debug, Clone, PartialEq)]
pub struct Decided {
    /// The matching.
    pub assignment: Assignment,
    /// It is proven to be optimal; otherwise the losses of its own branches are still wanted.
    pub proven: bool,
}

/// Cost tokens: of the whole matrices, and computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CostTokens {
    /// N times the tokens of all traces that enter a cost.
    pub whole: usize,
    /// Tokens that went through the model without gradient, prompts apart.
    pub computed: usize,
}

impl<'a> Search<'a> {
    /// The costs of all pairs of all batches, read back in one go.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn costs(
        &self,
        batches: &[&'a [&'a EncodedQuestion]],
    ) -> Result<(Vec<CostMatrix>, CostTokens), TrainError> {
        let mut all = Vec::new();
        for batch in batches {
            for group in self.budget.matrices(batch, self.leads, self.match_tokens) {
                all.push(self.whole(&batch[group]));
            }
        }
        read_all(&mut all, self.step).await?;
        let mut tokens = CostTokens::default();
        all.iter().for_each(|pairs| tokens.add(pairs));
        Ok((all.iter().flat_map(|pairs| pairs.costs.iter().map(PartialCosts::bounds)).collect(), tokens))
    }

    /// The whole matrices of some questions: in one pass, or if that is too much for one question, in several.
    fn whole(&self, questions: &'a [&'a EncodedQuestion]) -> Pairs<'a> {
        if self.budget.takes(questions, self.leads, self.match_tokens) {
            return Pairs::whole(self.model, questions, self.leads, self.match_tokens);
        }
        let mut pairs = self.start(questions);
        let of_question = |(question, costs): (usize, &PartialCosts)| {
            costs.after_first().into_iter().map(move |branch| (question, branch)).collect::<Vec<_>>()
        };
        let wanted: Vec<_> = pairs.costs.iter().enumerate().flat_map(of_question).collect();
        for pass in self.passes(&wanted) {
            pairs.finish(&wanted[pass]);
        }
        pairs.forget_past();
        pairs
    }

    /// Encodes the prompts and forks of a group of questions.
    fn start(&self, questions: &'a [&'a EncodedQuestion]) -> Pairs<'a> {
        Pairs::start(self.model, questions, self.leads, self.match_tokens)
    }

    /// Cuts branches into passes that fit.
    fn passes(&self, wanted: &[(usize, Extension)]) -> Vec<Range<usize>> {
        let sizes: Vec<usize> = wanted.iter().map(|(_, branch)| branch.wanted - branch.known).collect();
        cut(&sizes, self.budget.cost_tokens)
    }

    /// Extends the branches of a group until every question's matching is proven, or likely if `may_guess`: the branches
    /// of a likely one are then computed anyway.
    ///
    /// # Errors
    /// [`TrainError`] if a readback fails or a cost is not finite.
    pub async fn decide(
        &self,
        questions: &'a [&'a EncodedQuestion],
        may_guess: bool,
    ) -> Result<(Pairs<'a>, Vec<Decided>), TrainError> {
        let fits = |question: &EncodedQuestion| self.budget.fits(question, self.leads, self.match_tokens);
        // Where caches would not fit: the whole matrix, in passes that do.
        let all_fit = questions.iter().all(|question| fits(question));
        let mut pairs = if all_fit { self.start(questions) } else { self.whole(questions) };
        pairs.read(self.step).await?;
        let decided = self.search(&mut pairs, may_guess).await?;
        Ok((pairs, decided))
    }

    /// Goes on with questions whose likely matchings were computed, until all matchings are proven.
    ///
    /// # Errors
    /// As [`Search::decide`].
    pub async fn settle(&self, pairs: &mut Pairs<'a>) -> Result<Vec<Assignment>, TrainError> {
        let decided = self.search(pairs, false).await?;
        Ok(decided.into_iter().map(|decided| decided.assignment).collect())
    }

    async fn search(&self, pairs: &mut Pairs<'a>, may_guess: bool) -> Result<Vec<Decided>, TrainError> {
        loop {
            let (mut decided, mut wanted) = (Vec::new(), Vec::new());
            for question in 0..pairs.costs.len() {
                let next = pairs.costs[question].next();
                let next = next.map_err(|error| self.explain(error, pairs, question))?;
                let (assignment, proven) = match next {
                    Next::Proven(assignment) => (assignment, true),
                    Next::Likely(assignment) if may_guess => (assignment, false),
                    Next::Likely(assignment) => {
                        let rest = pairs.costs[question].missing_of(&assignment);
                        wanted.extend(rest.into_iter().map(|branch| (question, branch)));
                        continue;
                    }
                    Next::Extend(branches) => {
                        wanted.extend(branches.into_iter().map(|branch| (question, branch)));
                        continue;
                    }
                };
                decided.push(Decided { assignment, proven });
            }
            if wanted.is_empty() {
                return Ok(decided);
            }
            let worth = self.worth_a_pass(wanted, pairs);
            for pass in self.passes(&worth) {
                pairs.extend(&worth[pass]);
            }
            pairs.read(self.step).await?;
        }
    }

    /// The same branches, known further if that costs next to nothing: what a pass costs by itself is not paid twice for
    /// a few tokens.
    fn worth_a_pass(
        &self,
        mut wanted: Vec<(usize, Extension)>,
        pairs: &Pairs<'_>,
    ) -> Vec<(usize, Extension)> {
        let tokens = |wanted: &[(usize, Extension)]| -> usize {
            wanted.iter().map(|(_, branch)| branch.wanted - branch.known).sum()
        };
        while tokens(&wanted) < LEAST_TOKENS {
            let before = tokens(&wanted);
            wanted
                .iter_mut()
                .for_each(|(question, branch)| *branch = pairs.costs[*question].further(*branch));
            if tokens(&wanted) == before {
                break;
            }
        }
        wanted
    }

    fn explain(&self, error: MatchingError, pairs: &Pairs<'_>, question: usize) -> TrainError {
        explain(self.step, error, pairs.question(question), &pairs.costs[question].bounds())
    }
}

impl CostTokens {
    /// Adds those of a group of questions.
    pub fn add(&mut self, pairs: &Pairs<'_>) {
        self.whole += pairs.costs.iter().map(|costs| costs.tokens().0).sum::<usize>();
        self.computed += pairs.computed();
    }

    /// Share of the matrices' tokens that was not computed.
    pub fn saved(&self) -> f64 {
        1.0 - self.computed as f64 / self.whole.max(1) as f64
    }
}

/// The optimal matching of a question.
///
/// # Errors
/// [`TrainError`] if a cost is not finite or there are more traces than forks.
pub fn optimal(
    step: usize,
    question: &EncodedQuestion,
    costs: &CostMatrix,
) -> Result<Assignment, TrainError> {
    Assignment::optimal(costs).map_err(|error| explain(step, error, question, costs))
}

fn explain(step: usize, error: MatchingError, question: &EncodedQuestion, costs: &CostMatrix) -> TrainError {
    match error {
        MatchingError::NotFinite { fork, trace } => TrainError::Cost {
            step,
            question: question.id.clone(),
            fork: fork + 1,
            trace: trace + 1,
            value: costs.at(fork, trace),
        },
        MatchingError::TooManyTraces { traces, forks } => {
            TrainError::TooManyTraces { question: question.id.clone(), traces, forks }
        }
    }
}
