//! One optimizer step: questions in, weights moved, report out.

use crate::assign::{CostTokens, Decided, Matching, Search, optimal};
use crate::budget::{Budget, Row};
use crate::cost::CostMatrix;
use crate::error::TrainError;
use crate::matching::Assignment;
use crate::method::Method;
use crate::optimizer::{AdamWSettings, Optimizer, gradient_norm};
use crate::pairwise::{Pairs, read, target_nll};
use crate::report::{EpochCoverage, Match, StepReport};
use crate::rng::{Purpose, generator};
use crate::sampler::Sampler;
use crate::schedule::Schedule;
use crate::set_loss::matched_rows;
use crate::state::fingerprint;
use burn::module::Module;
use burn::optim::{GradientsAccumulator, GradientsParams};
use burn::tensor::{Tensor, TensorData};
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
    /// How the optimal matching is found.
    pub matching: Matching,
    /// Questions that share their passes, as far as `memory_budget` allows.
    pub batch_questions: usize,
    /// Batches in one optimizer step.
    pub accumulate: usize,
    /// Bytes that the passes of a step may take beyond model and optimizer, roughly. Passes without gradient read the
    /// linear maps' weights from a second copy if that takes at most a quarter of it.
    pub memory_budget: u64,
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

/// Milliseconds since some fixed moment; the library itself has no clock.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// An optimizer step under way.
struct Work<'a> {
    step: usize,
    /// Target tokens of the whole step.
    targets: usize,
    clock: Clock<'a>,
    budget: Budget,
    gradients: GradientsAccumulator<Decoder>,
    losses: Vec<Tensor<1>>,
    /// Real and padded tokens of the training passes.
    tokens: (f64, f64),
    cost_tokens: Option<CostTokens>,
    retrained: usize,
    ms_cost: f64,
    ms_match: f64,
    ms_train: f64,
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

    /// The questions that the next step draws, as indices into the data.
    pub fn upcoming(&mut self) -> Vec<usize> {
        self.sampler.questions(self.step)
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
        let drawn: Vec<&EncodedQuestion> = self.upcoming().into_iter().map(|index| &data[index]).collect();
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
        let mut work = self.begin(batches, clock);
        let assignments = match (self.settings.method, self.settings.matching) {
            (Method::Ssft, Matching::Lazy) => self.train_lazily(batches, &mut work).await?,
            _ => {
                let assignments = self.assign(batches, &mut work).await?;
                let mut rest = assignments.as_slice();
                for questions in batches {
                    let (assigned, others) = rest.split_at(questions.len());
                    rest = others;
                    self.train(&questions.iter().copied().zip(assigned).collect::<Vec<_>>(), &mut work);
                }
                assignments
            }
        };
        let start = clock();
        let gradients = work.gradients.grads();
        let (loss, grad_norm) = self.update(work.step, std::mem::take(&mut work.losses), gradients).await?;
        work.ms_train += clock() - start;
        self.step = work.step;
        let matches: Vec<_> = batches.iter().flat_map(|batch| batch.iter()).zip(assignments).collect();
        self.record_coverage(&matches);
        let total = work.ms_cost + work.ms_match + work.ms_train;
        Ok(StepReport {
            step: work.step,
            epoch: self.sampler.epoch(work.step),
            loss,
            lr: self.settings.schedule.at(work.step),
            grad_norm,
            tokens: work.targets,
            tokens_per_s: work.targets as f64 * 1e3 / total.max(1e-3),
            ms_cost: work.ms_cost,
            ms_match: work.ms_match,
            ms_train: work.ms_train,
            padding: work.tokens.1 / work.tokens.0,
            cost_saved: work.cost_tokens.map(|tokens| tokens.saved()),
            retrained: work.retrained,
            matches: matches.into_iter().map(report).collect(),
        })
    }

    fn begin<'a>(&self, batches: &[&[&EncodedQuestion]], clock: Clock<'a>) -> Work<'a> {
        let questions = batches.iter().flat_map(|batch| batch.iter());
        Work {
            step: self.step + 1,
            targets: questions.map(|question| self.targets(question)).sum(),
            clock,
            budget: self.budget(batches),
            gradients: GradientsAccumulator::new(),
            losses: Vec::new(),
            tokens: (0.0, 0.0),
            cost_tokens: None,
            retrained: 0,
            ms_cost: 0.0,
            ms_match: 0.0,
            ms_train: 0.0,
        }
    }

    /// The model for passes without gradient: its weights laid out for them, as long as that second copy is small in the
    /// memory that a step may take.
    pub fn for_reading(&self) -> Decoder {
        let model = self.model.valid();
        let copy = 4 * model.config().parameters() as u64;
        if copy <= self.settings.memory_budget / 4 { model.prepared() } else { model }
    }

    fn targets(&self, question: &EncodedQuestion) -> usize {
        let used = self.settings.method.traces(question.traces.len());
        question.traces[..used].iter().map(|trace| trace.tokens.len()).sum()
    }

    fn budget(&self, batches: &[&[&EncodedQuestion]]) -> Budget {
        Budget::new(
            self.settings.memory_budget,
            self.model.config(),
            batches.first().copied().unwrap_or_default(),
        )
    }

    fn search<'a>(&'a self, model: &'a Decoder, batches: &[&[&EncodedQuestion]], step: usize) -> Search<'a> {
        let (leads, match_tokens) = (self.leads.as_slice(), self.settings.match_tokens);
        Search { model, leads, match_tokens, budget: self.budget(batches), step }
    }

    /// Who is trained under which fork, question by question, for all micro-batches: the weights are the same for
    /// all of them, so one readback serves the step.
    async fn assign(
        &self,
        batches: &[&[&EncodedQuestion]],
        work: &mut Work<'_>,
    ) -> Result<Vec<Assignment>, TrainError> {
        let forks = self.leads.len();
        let questions = || batches.iter().flat_map(|batch| batch.iter().copied());
        let used = |question: &EncodedQuestion| self.settings.method.traces(question.traces.len());
        match self.settings.method {
            Method::Sft | Method::SftMixed => {
                Ok(questions().map(|question| Assignment::all_to_first(used(question))).collect())
            }
            Method::SsftRandom => {
                let mut rng = generator(self.settings.seed, Purpose::Assignment, work.step as u64);
                let random = |question: &EncodedQuestion| {
                    check_forks(question, forks)?;
                    Ok(Assignment::random(forks, used(question), &mut rng))
                };
                questions().map(random).collect()
            }
            Method::Ssft => {
                let start = (work.clock)();
                let model = self.for_reading();
                let (costs, tokens) = self.search(&model, batches, work.step).costs(batches).await?;
                let read = (work.clock)();
                let pairs = questions().zip(&costs);
                let matched = pairs.map(|(question, costs)| optimal(work.step, question, costs)).collect();
                work.cost_tokens = Some(tokens);
                work.ms_cost += read - start;
                work.ms_match += (work.clock)() - read;
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
        let model = self.for_reading();
        Ok(self.search(&model, batches, step).costs(batches).await?.0)
    }

    /// Trains on matched questions, in as many passes as the budget makes of them.
    fn train(&self, questions: &[(&EncodedQuestion, &Assignment)], work: &mut Work<'_>) {
        let start = (work.clock)();
        for rows in work.budget.training_passes(questions) {
            let nll = self.forward(questions, &rows, work);
            self.backward(nll, work);
        }
        work.ms_train += (work.clock)() - start;
    }

    /// Negative log-likelihood of every target of some matched traces, tracked.
    fn forward(
        &self,
        questions: &[(&EncodedQuestion, &Assignment)],
        rows: &[Row],
        work: &mut Work<'_>,
    ) -> Tensor<1> {
        let packed = matched_rows(questions, rows, &self.leads);
        let tokens = packed.tokens.len() as f64;
        work.tokens.0 += tokens;
        work.tokens.1 += tokens * packed.padding();
        target_nll(&self.model, &packed)
    }

    /// The set loss of the targets of a pass, and its gradients.
    fn backward(&self, nll: Tensor<1>, work: &mut Work<'_>) {
        let loss = nll.sum() / work.targets as f64;
        work.losses.push(loss.clone().inner());
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        work.gradients.accumulate(&self.model, gradients);
    }

    /// Finds the optimal matchings and trains on them, a group of questions at a time: the training pass of a likely
    /// matching tells what its branches cost, which no other pass then has to compute, and the proof follows.
    async fn train_lazily(
        &self,
        batches: &[&[&EncodedQuestion]],
        work: &mut Work<'_>,
    ) -> Result<Vec<Assignment>, TrainError> {
        let start = (work.clock)();
        let model = self.for_reading();
        work.ms_cost += (work.clock)() - start;
        let search = self.search(&model, batches, work.step);
        let budget = search.budget;
        let mut assignments = Vec::new();
        for batch in batches {
            for group in budget.groups(batch, &self.leads, self.settings.match_tokens) {
                let questions = &batch[group];
                let start = (work.clock)();
                let (mut pairs, decided) = search.decide(questions, budget.trains_at_once(questions)).await?;
                work.ms_cost += (work.clock)() - start;
                let matched = match decided.iter().all(|decided| decided.proven) {
                    true => {
                        pairs.forget_past();
                        let matched: Vec<_> = decided.into_iter().map(|decided| decided.assignment).collect();
                        self.train(&questions.iter().copied().zip(&matched).collect::<Vec<_>>(), work);
                        matched
                    }
                    false => self.train_and_prove(search, questions, &mut pairs, &decided, work).await?,
                };
                work.cost_tokens.get_or_insert_default().add(&pairs);
                assignments.extend(matched);
            }
        }
        Ok(assignments)
    }

    /// Trains on likely matchings; their losses go into the proof, and what turns out to be matched otherwise weighs
    /// nothing and is trained anew.
    async fn train_and_prove<'a>(
        &self,
        search: Search<'a>,
        questions: &'a [&'a EncodedQuestion],
        pairs: &mut Pairs<'a>,
        decided: &[Decided],
        work: &mut Work<'_>,
    ) -> Result<Vec<Assignment>, TrainError> {
        let likely: Vec<_> =
            questions.iter().copied().zip(decided.iter().map(|decided| &decided.assignment)).collect();
        let start = (work.clock)();
        let rows = work.budget.training_passes(&likely).concat();
        let nll = self.forward(&likely, &rows, work);
        let losses = read(nll.clone().inner(), work.step).await?;
        let forward = (work.clock)();
        let mut rest = losses.as_slice();
        for &(question, trace) in &rows {
            let (ours, others) = rest.split_at(questions[question].traces[trace].tokens.len());
            rest = others;
            if !decided[question].proven {
                let fork = decided[question].assignment.forks[trace];
                pairs.costs[question].replace(fork, trace, ours.iter().copied());
            }
        }
        let proven = search.settle(pairs).await?;
        let settled = (work.clock)();
        let wrong = |&&(question, trace): &&Row| {
            decided[question].assignment.forks[trace] != proven[question].forks[trace]
        };
        let again: Vec<Row> = rows.iter().filter(wrong).copied().collect();
        work.retrained += again.len();
        if again.is_empty() {
            self.backward(nll, work);
        } else {
            let weight = |row: &Row| {
                let weight = if wrong(&row) { 0.0f32 } else { 1.0 };
                vec![weight; questions[row.0].traces[row.1].tokens.len()]
            };
            let weights: Vec<f32> = rows.iter().flat_map(weight).collect();
            let count = weights.len();
            self.backward(
                nll.clone() * Tensor::from_data(TensorData::new(weights, [count]), &nll.device()),
                work,
            );
            let right: Vec<_> = questions.iter().copied().zip(&proven).collect();
            let nll = self.forward(&right, &again, work);
            self.backward(nll, work);
        }
        work.ms_cost += settled - forward;
        work.ms_train += (work.clock)() - start - (settled - forward);
        Ok(proven)
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
        let values = read(both, step).await?;
        for (what, value) in [("the loss", values[0]), ("the gradient norm", values[1])] {
            if !value.is_finite() {
                return Err(TrainError::NotFinite { step, what, value });
            }
        }
        let (loss, norm) = (f64::from(values[0]), f64::from(values[1]));
        // Moved, not cloned: nobody else may hold the weights, or there would be two of each for a while.
        let model = self.model.take();
        self.model = self.optimizer.update(model, gradients, norm, self.settings.schedule.at(step));
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
