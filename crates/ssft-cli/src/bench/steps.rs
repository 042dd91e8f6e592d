//! Whole training steps, the arms side by side.

use super::clock::{self, Times};
use super::memory;
use crate::device::NamedDevice;
use burn::tensor::Device;
use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_kernels::launches::{self, Profile};
use ssft_model::trained::Trained;
use ssft_model::{Decoder, DecoderConfig};
use ssft_train::schedule::{Schedule, Shape as ScheduleShape};
use ssft_train::{AdamWSettings, Matching, Method, Settings, StepReport, TrainError, Trainer};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// An arm, and how it finds its matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Arm {
    /// One trace a question
    Sft,
    /// All traces behind one fork
    SftMixed,
    /// A random assignment
    SsftRandom,
    /// The optimal matching, from the whole matrix
    SsftFull,
    /// The optimal matching, from as much as proves it
    SsftLazy,
}

/// Lengths of a batch of random tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lengths {
    /// B.
    pub questions: usize,
    /// N.
    pub forks: usize,
    /// M.
    pub traces: usize,
    /// P.
    pub prompt: usize,
    /// T, the end included.
    pub trace: usize,
    /// L.
    pub match_tokens: usize,
}

/// What all arms of a case train on.
#[derive(Debug)]
pub struct Workload {
    /// The model to start from, tracked.
    pub model: Decoder,
    /// What stands in front of the traces of each fork.
    pub leads: Vec<Vec<u32>>,
    /// The questions that steps draw from.
    pub data: Vec<EncodedQuestion>,
    /// B.
    pub questions: usize,
    /// L.
    pub match_tokens: usize,
    /// Bytes that the passes of a step may take.
    pub memory_budget: u64,
    /// Seed of order and random assignments.
    pub seed: u64,
}

/// Means over the questions of a workload.
#[derive(Debug, Clone, Copy)]
pub struct Means {
    /// Traces a question.
    pub traces: f64,
    /// Tokens a prompt.
    pub prompt: f64,
    /// Tokens a trace.
    pub trace: f64,
}

/// What was found of one arm.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The arm.
    pub arm: Arm,
    /// Times of whole steps.
    pub times: Times,
    /// Medians over the reports of the same steps; `retrained` is their sum, `tokens_per_s` by the time of the whole step.
    pub report: StepReport,
    /// Most bytes that a step needs beyond what was there before it.
    pub peak_bytes: u64,
    /// Kernels that a step starts; none on the CPU.
    pub launches: Option<u64>,
    /// The time of each of them in one more step, where that was asked for.
    pub profile: Option<Profile>,
}

/// Questions that random steps draw from, in batches.
const BATCHES: usize = 8;
/// So low that a trained model stays what it is.
const RATE: f64 = 1e-6;

impl Arm {
    /// All of them, from the plainest to ours.
    pub const ALL: [Self; 5] = [Self::Sft, Self::SftMixed, Self::SsftRandom, Self::SsftFull, Self::SsftLazy];

    /// Its name in tables and files: the arm, and how it matches.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::SftMixed => "sft-mixed",
            Self::SsftRandom => "ssft-random",
            Self::SsftFull => "ssft full",
            Self::SsftLazy => "ssft lazy",
        }
    }

    fn method(self) -> (Method, Matching) {
        match self {
            Self::Sft => (Method::Sft, Matching::Full),
            Self::SftMixed => (Method::SftMixed, Matching::Full),
            Self::SsftRandom => (Method::SsftRandom, Matching::Full),
            Self::SsftFull => (Method::Ssft, Matching::Full),
            Self::SsftLazy => (Method::Ssft, Matching::Lazy),
        }
    }
}

impl Workload {
    /// Random tokens for a random model; the last tokens of the vocabulary are the forks.
    pub fn random(
        config: &DecoderConfig,
        lengths: Lengths,
        memory_budget: u64,
        seed: u64,
        device: &Device,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let words = (config.vocab_size - lengths.forks) as u32;
        let mut draw =
            |count: usize| -> Vec<u32> { (0..count).map(|_| rng.random_range(0..words)).collect() };
        let mut question = |index: usize| EncodedQuestion {
            id: index.to_string(),
            prompt: draw(lengths.prompt),
            traces: (0..lengths.traces)
                .map(|trace| EncodedTrace { source: trace.to_string(), tokens: draw(lengths.trace) })
                .collect(),
            answer: None,
        };
        Self {
            model: Decoder::init(config, seed, &device.clone().autodiff()),
            leads: (0..lengths.forks).map(|fork| vec![words + fork as u32]).collect(),
            data: (0..BATCHES * lengths.questions).map(&mut question).collect(),
            questions: lengths.questions,
            match_tokens: lengths.match_tokens,
            memory_budget,
            seed,
        }
    }

    /// What its questions are like.
    pub fn means(&self) -> Means {
        let questions = self.data.len() as f64;
        let traces = || self.data.iter().flat_map(|question| &question.traces);
        let count = traces().count() as f64;
        Means {
            traces: count / questions,
            prompt: self.data.iter().map(|question| question.prompt.len()).sum::<usize>() as f64 / questions,
            trace: traces().map(|trace| trace.tokens.len()).sum::<usize>() as f64 / count,
        }
    }

    /// Steps of every arm by turns, `runs` of each after one to warm up; then one of each whose kernels are timed, if
    /// `profiled`.
    ///
    /// # Errors
    /// [`TrainError`] of the first step that fails.
    pub fn measure(
        &self,
        arms: &[Arm],
        runs: usize,
        profiled: bool,
        device: &NamedDevice,
    ) -> Result<Vec<Measured>, TrainError> {
        let benches: Vec<Bench<'_>> = arms.iter().map(|&arm| Bench::new(self, arm, &device.device)).collect();
        let times = clock::take_turns(runs, &benches, Bench::step);
        let measured = benches.iter().zip(times).map(|(bench, times)| {
            let report = bench.medians(runs)?;
            let peak_bytes = memory::peak_bytes(&device.device, || bench.step());
            let launches = device.adapter.as_ref().map(|_| launches::count(|| bench.step()));
            let profile = profiled.then(|| launches::profile(|| bench.step()));
            bench.medians(1)?;
            // The step's own clock stops before a GPU has done the update.
            let tokens_per_s = report.tokens as f64 * 1e3 / times.median_ms;
            let report = StepReport { tokens_per_s, ..report };
            Ok(Measured { arm: bench.arm, times, report, peak_bytes, launches, profile })
        });
        measured.collect()
    }

    fn settings(&self, arm: Arm) -> Settings {
        let (method, matching) = arm.method();
        Settings {
            method,
            matching,
            match_tokens: self.match_tokens,
            batch_questions: self.questions,
            accumulate: 1,
            memory_budget: self.memory_budget,
            trained: Trained::All,
            schedule: Schedule { peak: RATE, warmup_steps: 0, steps: 1, shape: ScheduleShape::Constant },
            adamw: AdamWSettings::default(),
            seed: self.seed,
        }
    }
}

/// One arm under way.
pub struct Bench<'a> {
    arm: Arm,
    workload: &'a Workload,
    device: Device,
    state: Mutex<(Trainer, Vec<Result<StepReport, TrainError>>)>,
}

impl<'a> Bench<'a> {
    /// An arm, ready for its first step.
    pub fn new(workload: &'a Workload, arm: Arm, device: &Device) -> Self {
        let trainer = Trainer::new(
            workload.model.clone(),
            workload.leads.clone(),
            &workload.data,
            workload.settings(arm),
        );
        Self { arm, workload, device: device.clone(), state: Mutex::new((trainer, Vec::new())) }
    }

    /// A step, until the update is done as well. [`Bench::medians`] has what it reported.
    pub fn step(&self) {
        let (trainer, reports) = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let clock = move || started.elapsed().as_secs_f64() * 1e3;
        let report = pollster::block_on(trainer.step(&self.workload.data, &clock));
        let synced = self
            .device
            .sync()
            .map_err(|error| TrainError::Device { step: trainer.steps_done(), what: error.to_string() });
        reports.push(report.and_then(|report| synced.map(|()| report)));
    }

    /// Medians over the last `runs` steps; what was reported so far is let go.
    ///
    /// # Errors
    /// [`TrainError`] of the first step that failed.
    pub fn medians(&self, runs: usize) -> Result<StepReport, TrainError> {
        let reports = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).1);
        let reports: Vec<StepReport> = reports.into_iter().collect::<Result<_, _>>()?;
        let last = &reports[reports.len() - runs..];
        let median = |of: fn(&StepReport) -> f64| {
            let mut values: Vec<f64> = last.iter().map(of).collect();
            values.sort_by(f64::total_cmp);
            (values[(runs - 1) / 2] + values[runs / 2]) / 2.0
        };
        Ok(StepReport {
            ms_cost: median(|report| report.ms_cost),
            ms_match: median(|report| report.ms_match),
            ms_train: median(|report| report.ms_train),
            tokens: median(|report| report.tokens as f64) as usize,
            cost_saved: last[0].cost_saved.map(|_| median(|report| report.cost_saved.unwrap_or_default())),
            retrained: last.iter().map(|report| report.retrained).sum(),
            ..last[0].clone()
        })
    }
}
