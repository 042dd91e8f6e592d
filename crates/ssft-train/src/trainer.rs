//! The driver: one optimizer step of SSFT, from questions to updated weights (arXiv 2510.05132, section 3).

use crate::budget::Budget;
use crate::cost::CostMatrix;
use crate::coverage::EpochCoverage;
use crate::error::TrainError;
use crate::fingerprint::fingerprint;
use crate::full::CostEvaluator;
use crate::gradients::{Accumulation, Alone, Exchange, clip_factor};
use crate::lazy;
use crate::matching::Assignment;
use crate::optimizer::Optimizer;
use crate::report::{Match, StepCounters, StepReport};
use crate::sampler::Sampler;
use crate::set_loss::SetLoss;
use crate::settings::{Matching, Settings};
use crate::step::{Clock, Step};
use burn::module::Module;
use burn::optim::GradientsParams;
use ssft_data::encode::EncodedQuestion;
use ssft_data::forks::CoverageGraph;
use ssft_model::Decoder;
use ssft_model::trained::{Trained, freeze};

/// A model in training.
///
/// ```
/// use burn::tensor::Device;
/// use ssft_data::encode::{EncodedQuestion, EncodedTrace};
/// use ssft_model::{Decoder, DecoderConfig, config::Preset};
/// use ssft_train::schedule::{Schedule, Shape};
/// use ssft_train::{AdamWSettings, Matching, Method, Settings, Trainer};
///
/// let trace = |tokens: &[u32]| EncodedTrace { source: String::new(), tokens: tokens.to_vec() };
/// let data = [EncodedQuestion {
///     id: "q1".to_owned(),
///     prompt: vec![1, 2, 3],
///     traces: vec![trace(&[4, 5, 0]), trace(&[6, 7, 8, 0])],
///     answer: None,
/// }];
/// let settings = Settings {
///     method: Method::Ssft,
///     match_tokens: 3,
///     matching: Matching::Lazy,
///     batch_questions: 1,
///     accumulate: 1,
///     memory_budget: 1 << 30,
///     schedule: Schedule { peak: 1e-2, warmup_steps: 0, steps: 2, shape: Shape::Constant },
///     adamw: AdamWSettings::default(),
///     seed: 1,
/// };
/// let model = Decoder::init(&DecoderConfig::preset(Preset::Tiny, 40), 1, &Device::flex().autodiff());
/// let leads = vec![vec![30], vec![31]]; // the forking tokens of two forks
/// let mut trainer = Trainer::new(model, leads, &data, settings);
/// let clock = || 0.0; // milliseconds
/// let first = pollster::block_on(trainer.step(&data, &clock))?;
/// let second = pollster::block_on(trainer.step(&data, &clock))?;
/// assert_eq!(first.tokens, 7, "target tokens: both traces");
/// let mut forks = first.matches[0].forks.clone();
/// forks.sort_unstable();
/// assert_eq!(forks, [1, 2], "each trace has a fork of its own");
/// assert!(second.loss < first.loss);
/// # Ok::<(), ssft_train::TrainError>(())
/// ```
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

/// Bytes of a parameter.
const PARAMETER_BYTES: u64 = 4;
/// A second copy of the weights may take 1 / `COPY_PART` of the memory budget.
const COPY_PART: u64 = 4;

impl Trainer {
    /// A trainer before its first step.
    ///
    /// `model` is on an autodiff device. `leads[i]` stands between prompt and trace for fork i: its forking token and the
    /// fixed tokens after it. `data` is what [`Trainer::step`] draws from.
    ///
    /// # Panics
    /// If `data` is empty, or a step has no question.
    pub fn new(model: Decoder, leads: Vec<Vec<u32>>, data: &[EncodedQuestion], settings: Settings) -> Self {
        Self {
            optimizer: Optimizer::new(&settings.adamw, Trained::All),
            sampler: Sampler::new(data.len(), settings.questions_per_step(), settings.seed),
            coverage: EpochCoverage::new(leads.len()),
            data_fingerprint: fingerprint(data),
            step: 0,
            model,
            settings,
            leads,
        }
    }

    /// Restricts training to `trained`; the other parameters keep their values.
    ///
    /// # Panics
    /// If a step was done, or the rows to train are not ascending ids of the vocabulary.
    pub fn training(mut self, trained: Trained) -> Self {
        assert_eq!(self.step, 0, "the trained parameters are chosen before the first step");
        self.model = freeze(self.model.take(), &trained);
        self.optimizer = Optimizer::new(&self.settings.adamw, trained);
        self
    }

    /// Number of optimizer steps done.
    pub fn steps_done(&self) -> usize {
        self.step
    }

    /// The current model, tracked by autodiff.
    pub fn model(&self) -> &Decoder {
        &self.model
    }

    /// The current model, not tracked by autodiff.
    pub fn frozen(&self) -> Decoder {
        self.model.valid()
    }

    /// The current model for passes without gradient: in a layout that is faster for them, if that second copy of the weights
    /// takes at most a quarter of the memory budget.
    pub fn for_reading(&self) -> Decoder {
        let model = self.model.valid();
        let copy = PARAMETER_BYTES * model.config().parameters() as u64;
        if copy <= self.settings.memory_budget / COPY_PART { model.prepared() } else { model }
    }

    /// Matches of the last complete epoch, or of the current one if none is complete.
    pub fn coverage(&self) -> &CoverageGraph {
        self.coverage.latest()
    }

    /// The questions of the next step, as indices into the data.
    pub fn upcoming(&mut self) -> Vec<usize> {
        self.sampler.questions(self.step)
    }

    /// One step on the next questions of `data`, which must be the data that the trainer was made with.
    ///
    /// # Errors
    /// As [`Trainer::step_on`].
    pub async fn step(
        &mut self,
        data: &[EncodedQuestion],
        clock: Clock<'_>,
    ) -> Result<StepReport, TrainError> {
        let drawn: Vec<&EncodedQuestion> = self.upcoming().into_iter().map(|index| &data[index]).collect();
        let batches: Vec<&[&EncodedQuestion]> = drawn.chunks(self.settings.batch_questions).collect();
        self.step_on(&batches, clock).await
    }

    /// One step on the given micro-batches.
    ///
    /// # Errors
    /// [`TrainError`]; the weights are then unchanged.
    ///
    /// # Panics
    /// If there is no question.
    pub async fn step_on(
        &mut self,
        batches: &[&[&EncodedQuestion]],
        clock: Clock<'_>,
    ) -> Result<StepReport, TrainError> {
        let questions = batches.concat();
        let mut step = self.begin(batches, clock);
        let (number, forks, seed) = (step.number, self.leads.len(), self.settings.seed);
        let given = self.settings.method.without_costs(&questions, forks, seed, number)?;
        let assignments = match (given, self.settings.matching) {
            (None, Matching::Lazy) => self.match_and_train(batches, &mut step).await?, // 1. to 3., interleaved
            (given, _) => {
                let assignments = match given {
                    Some(assignments) => assignments,
                    None => {
                        // 1. Pairwise losses C[i, j], no gradient: one readback for the whole step.
                        let costs = self.pairwise_losses(batches, &mut step).await?;
                        // 2. Optimal matching of traces and forks, question by question.
                        match_optimally(&questions, &costs, &mut step)?
                    }
                };
                // 3. Set loss over all tokens of the matched pairs, with gradient.
                step.train_batches(batches, &assignments);
                assignments
            }
        };
        // 4. Update, unless loss or gradient norm is not finite.
        let started = clock();
        let Step { accumulation, mut counters, set_loss: SetLoss { step_targets }, .. } = step;
        let (loss, grad_norm) = self.update(accumulation, number).await?;
        counters.ms_train += clock() - started;
        // 5. Report.
        self.step = number;
        self.record_coverage(&questions, &assignments);
        let matches = questions.iter().zip(&assignments);
        Ok(StepReport {
            step: number,
            epoch: self.sampler.epoch(number),
            loss,
            lr: self.settings.schedule.at(number),
            grad_norm,
            tokens: step_targets,
            tokens_per_s: counters.tokens_per_s(step_targets),
            ms_cost: counters.ms_cost,
            ms_match: counters.ms_match,
            ms_train: counters.ms_train,
            padding: counters.padding(),
            cost_saved: counters.cost_tokens.map(|tokens| tokens.saved()),
            retrained: counters.retrained,
            matches: matches.map(|(question, assignment)| Match::new(question, assignment)).collect(),
        })
    }

    /// The cost matrices of all questions of all micro-batches under the current weights, in one readback.
    ///
    /// # Errors
    /// [`TrainError::Device`] if the readback fails.
    pub async fn costs(&self, batches: &[&[&EncodedQuestion]]) -> Result<Vec<CostMatrix>, TrainError> {
        let model = self.for_reading();
        let evaluator = self.evaluator(&model, self.budget(batches), self.step);
        Ok(evaluator.cost_matrices(batches).await?.0)
    }

    fn begin<'a>(&'a self, batches: &[&[&EncodedQuestion]], clock: Clock<'a>) -> Step<'a> {
        Step {
            number: self.step + 1,
            model: &self.model,
            leads: &self.leads,
            budget: self.budget(batches),
            set_loss: SetLoss { step_targets: self.settings.method.target_tokens(&batches.concat()) },
            clock,
            accumulation: Accumulation::new(),
            counters: StepCounters::default(),
        }
    }

    fn budget(&self, batches: &[&[&EncodedQuestion]]) -> Budget {
        Budget::new(self.settings.memory_budget, self.model.config(), batches)
    }

    fn evaluator<'a>(&'a self, model: &'a Decoder, budget: Budget, step: usize) -> CostEvaluator<'a> {
        let (leads, match_tokens) = (self.leads.as_slice(), self.settings.match_tokens);
        CostEvaluator { model, leads, match_tokens, budget, step }
    }

    /// Steps 1 to 3 by lazy matching, group by group.
    async fn match_and_train(
        &self,
        batches: &[&[&EncodedQuestion]],
        step: &mut Step<'_>,
    ) -> Result<Vec<Assignment>, TrainError> {
        let start = step.now();
        let model = self.for_reading();
        step.counters.ms_cost += step.now() - start;
        let evaluator = self.evaluator(&model, step.budget, step.number);
        lazy::match_and_train(&evaluator, batches, step).await
    }

    /// Step 1: the whole cost matrix of every question.
    async fn pairwise_losses(
        &self,
        batches: &[&[&EncodedQuestion]],
        step: &mut Step<'_>,
    ) -> Result<Vec<CostMatrix>, TrainError> {
        let start = step.now();
        let model = self.for_reading();
        let evaluator = self.evaluator(&model, step.budget, step.number);
        let (costs, tokens) = evaluator.cost_matrices(batches).await?;
        step.counters.add_cost_tokens(tokens);
        step.counters.ms_cost += step.now() - start;
        Ok(costs)
    }

    /// Step 4. Returns loss and gradient norm.
    async fn update(&mut self, accumulation: Accumulation, number: usize) -> Result<(f64, f64), TrainError> {
        let total = Alone.exchange(&self.model, accumulation.total());
        let measured = total.measure(&self.model, self.optimizer.trained(), number).await?;
        let clip = clip_factor(measured.norm, self.settings.adamw.clip_norm);
        self.apply(total.gradients, clip, self.settings.schedule.at(number));
        Ok((measured.loss, measured.norm))
    }

    /// Updates the weights in place: the model is moved out, since a second owner would force a copy of every parameter.
    fn apply(&mut self, gradients: GradientsParams, clip: f32, rate: f64) {
        let model = self.model.take();
        self.model = self.optimizer.update(model, gradients, clip, rate);
    }

    fn record_coverage(&mut self, questions: &[&EncodedQuestion], assignments: &[Assignment]) {
        for (question, assignment) in questions.iter().zip(assignments) {
            self.coverage.record(question, assignment);
        }
        self.coverage.enter(self.sampler.epoch(self.step) as usize);
    }
}

/// Step 2.
fn match_optimally(
    questions: &[&EncodedQuestion],
    costs: &[CostMatrix],
    step: &mut Step<'_>,
) -> Result<Vec<Assignment>, TrainError> {
    let start = step.now();
    let pairs = questions.iter().zip(costs);
    let matched = pairs.map(|(question, costs)| Assignment::optimal_for(question, costs, step.number));
    let matched = matched.collect::<Result<_, _>>()?;
    step.counters.ms_match += step.now() - start;
    Ok(matched)
}
