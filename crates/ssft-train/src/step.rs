//! An optimizer step in progress: training passes, and what they add up to.

use crate::budget::{Budget, TrainedTrace};
use crate::gradients::Accumulation;
use crate::matching::Assignment;
use crate::objective::Objective;
use crate::report::StepCounters;
use crate::set_loss::{Matched, SetLoss, matched_rows};
use burn::tensor::Tensor;
use ssft_data::encode::EncodedQuestion;
use ssft_model::Decoder;

/// Milliseconds since a fixed moment. The library has no clock of its own, since a browser offers another one.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// One optimizer step between its first pass and its update. Passes add gradients, losses and counters; the weights do not
/// change.
pub(crate) struct Step<'a> {
    /// From 1.
    pub number: usize,
    /// Tracked by autodiff.
    pub model: &'a Decoder,
    pub leads: &'a [Vec<u32>],
    pub budget: Budget,
    pub set_loss: SetLoss,
    pub clock: Clock<'a>,
    pub accumulation: Accumulation,
    pub counters: StepCounters,
}

impl Step<'_> {
    /// Milliseconds on the clock of the step.
    pub fn now(&self) -> f64 {
        (self.clock)()
    }

    /// Trains on all questions of the micro-batches; `assignments` follow one another in the same order.
    pub fn train_batches(&mut self, batches: &[&[&EncodedQuestion]], assignments: &[Assignment]) {
        let mut rest = assignments;
        for questions in batches {
            let (own, others) = rest.split_at(questions.len());
            rest = others;
            self.train(&questions.iter().copied().zip(own).collect::<Vec<_>>());
        }
    }

    /// Trains on matched questions, in passes that fit the budget.
    pub fn train(&mut self, questions: &[Matched<'_>]) {
        let start = self.now();
        for rows in self.budget.training_passes(questions) {
            self.train_rows(questions, &rows);
        }
        self.counters.ms_train += self.now() - start;
    }

    /// One training pass: forward, set loss, backward.
    pub fn train_rows(&mut self, questions: &[Matched<'_>], rows: &[TrainedTrace]) {
        let terms = self.forward(questions, rows);
        let set_loss = self.set_loss;
        self.backward(&set_loss, terms);
    }

    /// Forward pass of some matched rows: the terms of the set loss, `[targets]`, tracked.
    pub fn forward(&mut self, questions: &[Matched<'_>], rows: &[TrainedTrace]) -> Tensor<1> {
        let packed = matched_rows(questions, rows, self.leads);
        let tokens = packed.tokens.len() as f64;
        self.counters.packed_tokens += tokens;
        self.counters.padding_tokens += tokens * packed.padding();
        self.set_loss.terms(self.model, &packed)
    }

    /// Backward pass of `objective` from the terms of a forward pass; its gradients are added up.
    pub fn backward(&mut self, objective: &impl Objective, terms: Tensor<1>) {
        self.accumulation.backward(self.model, objective.loss(terms));
    }
}
