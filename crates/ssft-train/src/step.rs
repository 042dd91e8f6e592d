//! One optimizer step: questions in, weights moved, report out.

use crate::cost::CostMatrix;
use crate::error::TrainError;
use crate::matching::{Assignment, MatchingError};
use crate::method::Method;
use crate::optimizer::{AdamWSettings, Optimizer, gradient_norm};
use crate::pairwise::{PairCosts, pairwise};
use crate::rng::{Purpose, generator};
use crate::sampler::Sampler;
use crate::schedule::Schedule;
use crate::set_loss::{matched_trees, set_loss};
use crate::state::fingerprint;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use ssft_data::encode::EncodedQuestion;
use ssft_data::forks::CoverageGraph;
use ssft_model::Decoder;

/// What a run is made of besides its model and data.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The arm.
    pub method: Method,
    /// L: trace tokens that enter the matching cost.
    pub match_tokens: usize,
    /// Questions in one forward pass.
    pub batch_questions: usize,
    /// Forward passes in one optimizer step.
    pub accumulate: usize,
    /// Learning rates.
    pub schedule: Schedule,
    /// AdamW and clipping.
    pub adamw: AdamWSettings,
    /// Seed of order and random assignments.
    pub seed: u64,
}

/// A model in training.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) model: Decoder,
    pub(crate) optimizer: Optimizer,
    pub(crate) settings: Settings,
    pub(crate) step: usize,
    pub(crate) coverage: EpochCoverage,
    pub(crate) data_fingerprint: u64,
    sampler: Sampler,
    leads: Vec<Vec<u32>>,
}

/// The coverage graph of the epoch under way and of the last whole one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochCoverage {
    /// Epoch under way, from 0.
    pub epoch: usize,
    /// Matches of the epoch under way.
    pub current: CoverageGraph,
    /// Matches of the last whole epoch, if there was one.
    pub last: Option<CoverageGraph>,
}

/// Which fork each trace of a question was trained under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// Id of the question.
    pub id: String,
    /// Fork of each trace, from 1.
    pub forks: Vec<usize>,
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Optimizer step, from 1.
    pub step: usize,
    /// Epochs done after this step.
    pub epoch: f64,
    /// Nats a target token, before the update.
    pub loss: f64,
    /// Learning rate of the update.
    pub lr: f64,
    /// Norm of all gradients together, before clipping.
    pub grad_norm: f64,
    /// Target tokens of the step.
    pub tokens: usize,
    /// Target tokens a second, matching included.
    pub tokens_per_s: f64,
    /// Milliseconds for the pairwise costs, readback included. On a GPU the update of the step before may still
    /// be under way when this clock starts.
    pub ms_cost: f64,
    /// Milliseconds for the matching.
    pub ms_match: f64,
    /// Milliseconds until forward and backward are done and the update is under way.
    pub ms_train: f64,
    /// Share of attention's cells in the training pass that hold no token.
    pub padding: f64,
    /// The assignments, question by question.
    pub matches: Vec<Match>,
}

/// Milliseconds since some fixed moment; the library itself has no clock.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// Where the time of a step went, in milliseconds.
#[derive(Default)]
struct Spent {
    cost: f64,
    matching: f64,
    train: f64,
}

impl Trainer {
    /// A trainer at step 0. `model` is on an autodiff device; `leads[i]` is the forking token of fork i and
    /// what follows it by rule; `data` is what every step draws from.
    ///
    /// # Panics
    /// If there is no data.
    pub fn new(model: Decoder, leads: Vec<Vec<u32>>, data: &[EncodedQuestion], settings: Settings) -> Self {
        Self {
            optimizer: Optimizer::new(&settings.adamw),
            sampler: Sampler::new(data.len(), settings.batch_questions * settings.accumulate, settings.seed),
            coverage: EpochCoverage { epoch: 0, current: CoverageGraph::new(leads.len()), last: None },
            data_fingerprint: fingerprint(data),
            step: 0,
            model,
            settings,
            leads,
        }
    }

    /// Optimizer steps done.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// The model as it stands, tracked by autodiff.
    pub fn model(&self) -> &Decoder {
        &self.model
    }

    /// The model as it stands, for evaluation.
    pub fn frozen(&self) -> Decoder {
        self.model.valid()
    }

    /// Matches of the last whole epoch, or of the one under way if there is none.
    pub fn coverage(&self) -> &CoverageGraph {
        self.coverage.last.as_ref().unwrap_or(&self.coverage.current)
    }

    /// Trains on the next questions of `data`, the same that the trainer was made for.
    ///
    /// # Errors
    /// [`TrainError`]; the weights are then what they were before the call.
    pub async fn step(
        &mut self,
        data: &[EncodedQuestion],
        clock: Clock<'_>,
    ) -> Result<StepReport, TrainError> {
        let drawn: Vec<&EncodedQuestion> =
            self.sampler.questions(self.step).into_iter().map(|index| &data[index]).collect();
        let batches: Vec<&[&EncodedQuestion]> = drawn.chunks(self.settings.batch_questions).collect();
        self.step_on(&batches, clock).await
    }

    /// Trains on the given micro-batches.
    ///
    /// # Errors
    /// As [`Trainer::step`].
    pub async fn step_on(
        &mut self,
        batches: &[&[&EncodedQuestion]],
        clock: Clock<'_>,
    ) -> Result<StepReport, TrainError> {
        let step = self.step + 1;
        let targets: usize =
            batches.iter().flat_map(|batch| batch.iter()).map(|question| self.targets(question)).sum();
        let mut spent = Spent::default();
        let mut accumulated = GradientsAccumulator::new();
        let mut losses = Vec::with_capacity(batches.len());
        let mut cells = (0usize, 0usize);
        let assignments = self.assign(step, batches, clock, &mut spent).await?;
        let start = clock();
        let mut rest = assignments.as_slice();
        for questions in batches {
            let (assigned, others) = rest.split_at(questions.len());
            rest = others;
            let packed = matched_trees(questions, assigned, &self.leads);
            cells.0 += packed.tokens.len();
            cells.1 += packed.tokens.len();
            let loss = set_loss(&self.model, &packed, targets);
            losses.push(loss.clone().inner());
            accumulated.accumulate(&self.model, GradientsParams::from_grads(loss.backward(), &self.model));
        }
        let (loss, grad_norm) = self.update(step, losses, accumulated.grads()).await?;
        spent.train += clock() - start;
        self.step = step;
        let matches: Vec<_> = batches.iter().flat_map(|batch| batch.iter()).zip(assignments).collect();
        self.record_coverage(&matches);
        let total = spent.cost + spent.matching + spent.train;
        Ok(StepReport {
            step,
            epoch: self.sampler.epoch(step),
            loss,
            lr: self.settings.schedule.at(step),
            grad_norm,
            tokens: targets,
            tokens_per_s: targets as f64 * 1e3 / total.max(1e-3),
            ms_cost: spent.cost,
            ms_match: spent.matching,
            ms_train: spent.train,
            padding: 1.0 - cells.0 as f64 / cells.1 as f64,
            matches: matches.into_iter().map(report).collect(),
        })
    }

    fn targets(&self, question: &EncodedQuestion) -> usize {
        let used = self.settings.method.traces(question.traces.len());
        question.traces[..used].iter().map(|trace| trace.tokens.len()).sum()
    }

    /// Who is trained under which fork, question by question, for all micro-batches: the weights are the same for
    /// all of them, so one readback serves the step.
    async fn assign(
        &self,
        step: usize,
        batches: &[&[&EncodedQuestion]],
        clock: Clock<'_>,
        spent: &mut Spent,
    ) -> Result<Vec<Assignment>, TrainError> {
        let forks = self.leads.len();
        let questions = || batches.iter().flat_map(|batch| batch.iter().copied());
        let used = |question: &EncodedQuestion| self.settings.method.traces(question.traces.len());
        match self.settings.method {
            Method::Sft | Method::SftMixed => {
                Ok(questions().map(|question| Assignment::all_to_first(used(question))).collect())
            }
            Method::SsftRandom => {
                let mut rng = generator(self.settings.seed, Purpose::Assignment, step as u64);
                let random = |question: &EncodedQuestion| {
                    check_forks(question, forks)?;
                    Ok(Assignment::random(forks, used(question), &mut rng))
                };
                questions().map(random).collect()
            }
            Method::Ssft => {
                let start = clock();
                let costs = self.costs(step, batches).await?;
                let read = clock();
                let matched =
                    questions().zip(&costs).map(|(question, costs)| optimal(step, question, costs)).collect();
                spent.cost += read - start;
                spent.matching += clock() - read;
                matched
            }
        }
    }

    /// The pairwise costs of all questions of a step under the weights as they stand, read back once.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn costs(
        &self,
        step: usize,
        batches: &[&[&EncodedQuestion]],
    ) -> Result<Vec<CostMatrix>, TrainError> {
        let model = self.model.valid();
        let pairs = |questions: &&[&EncodedQuestion]| {
            pairwise(&model, questions, &self.leads, self.settings.match_tokens)
        };
        PairCosts::join(batches.iter().map(pairs).collect()).read(step).await
    }

    /// Reads loss and gradient norm back in one go, and moves the weights if both are numbers.
    async fn update(
        &mut self,
        step: usize,
        losses: Vec<Tensor<1>>,
        gradients: GradientsParams,
    ) -> Result<(f64, f64), TrainError> {
        let loss = Tensor::cat(losses, 0).sum();
        let both = Tensor::cat(vec![loss, gradient_norm(&self.model, &gradients)], 0);
        let failed = |what: String| TrainError::Device { step, what };
        let data = both.into_data_async().await.map_err(|error| failed(error.to_string()))?;
        let values = data.try_to_vec::<f32>().map_err(|error| failed(error.to_string()))?;
        for (what, value) in [("the loss", values[0]), ("the gradient norm", values[1])] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite { step, what, value });
            }
        }
        let (loss, norm) = (f64::from(values[0]), f64::from(values[1]));
        self.model =
            self.optimizer.update(self.model.clone(), gradients, norm, self.settings.schedule.at(step));
        Ok((loss, norm))
    }

    fn record_coverage(&mut self, matches: &[(&&EncodedQuestion, Assignment)]) {
        let coverage = &mut self.coverage;
        for (question, assignment) in matches {
            for (trace, &fork) in question.traces.iter().zip(&assignment.forks) {
                coverage.current.record(fork, &trace.source);
            }
        }
        let epoch = self.sampler.epoch(self.step) as usize;
        if epoch != coverage.epoch {
            let fresh = CoverageGraph::new(self.leads.len());
            coverage.last = Some(std::mem::replace(&mut coverage.current, fresh));
            coverage.epoch = epoch;
        }
    }
}

fn report((question, assignment): (&&EncodedQuestion, Assignment)) -> Match {
    Match { id: question.id.clone(), forks: assignment.forks.iter().map(|fork| fork + 1).collect() }
}

fn check_forks(question: &EncodedQuestion, forks: usize) -> Result<(), TrainError> {
    let traces = question.traces.len();
    if traces <= forks {
        return Ok(());
    }
    Err(TrainError::TooManyTraces { question: question.id.clone(), traces, forks })
}

fn optimal(step: usize, question: &EncodedQuestion, costs: &CostMatrix) -> Result<Assignment, TrainError> {
    Assignment::optimal(costs).map_err(|error| match error {
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
    })
}
