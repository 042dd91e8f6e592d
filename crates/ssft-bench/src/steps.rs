//! Time and memory of whole training steps, arm by arm.

use crate::arm::Arm;
use crate::clock::{self, Times};
use crate::error::BenchError;
use crate::memory;
use crate::origin::Origin;
use crate::workload::Workload;
use burn::tensor::Device;
use serde_json::{Value, json};
use ssft_kernels::launches::{self, KernelTime, Profile};
use ssft_run::device::NamedDevice;
use ssft_train::{StepReport, TrainError, Trainer};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Whether the kernels of a step are timed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profiling {
    /// Only whole steps are timed.
    Off,
    /// One more step of each arm, whose kernels run one after another and are timed. GPU only.
    On,
}

/// Results of all arms on one workload.
#[derive(Debug)]
pub struct Case {
    /// The workload.
    pub workload: Workload,
    /// Results in the order of the arms.
    pub measured: Vec<Measured>,
}

/// Result of one arm.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The arm.
    pub arm: Arm,
    /// Times of whole steps, until a GPU has finished the update.
    pub times: Times,
    /// Medians over the reports of the same steps, with two exceptions: `retrained` is their sum, and `tokens_per_s` follows
    /// from the time of the whole step.
    pub report: StepReport,
    /// Largest number of bytes that a step needs in addition to what was allocated before it.
    pub peak_bytes: u64,
    /// Kernels that a step launches; none on the CPU.
    pub launches: Option<u64>,
    /// Time of each kernel in one more step, with [`Profiling::On`].
    pub profile: Option<Profile>,
}

/// Measures steps of every arm in turns: one step each to warm up, then `runs` timed steps.
///
/// # Errors
/// [`BenchError::Train`] of the first step that fails.
pub fn measure(
    workload: Workload,
    arms: &[Arm],
    runs: usize,
    profiling: Profiling,
    device: &NamedDevice,
) -> Result<Case, BenchError> {
    let benches: Vec<Bench<'_>> =
        arms.iter().map(|&arm| Bench::new(&workload, arm, &device.device)).collect();
    let times = clock::take_turns(runs, &benches, Bench::step);
    let measured = benches.iter().zip(times).map(|(bench, times)| bench.measured(times, profiling, device));
    let measured = measured.collect::<Result<_, _>>()?;
    drop(benches);
    Ok(Case { workload, measured })
}

/// Training of one arm: its trainer, and the reports of the steps so far.
pub struct Bench<'a> {
    arm: Arm,
    workload: &'a Workload,
    device: Device,
    state: Mutex<(Trainer, Vec<Result<StepReport, TrainError>>)>,
}

impl<'a> Bench<'a> {
    /// An arm before its first step.
    pub fn new(workload: &'a Workload, arm: Arm, device: &Device) -> Self {
        let trainer = Trainer::new(
            workload.model.clone(),
            workload.leads.clone(),
            &workload.data,
            workload.settings(arm),
        );
        Self { arm, workload, device: device.clone(), state: Mutex::new((trainer, Vec::new())) }
    }

    /// Trains one step and waits until the device has finished the update. Its report, or its error, goes into
    /// [`Bench::medians`].
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

    /// Medians over the reports of the last `runs` steps (`retrained`: sum). All reports so far are dropped.
    ///
    /// # Errors
    /// [`TrainError`] of the first step that failed.
    ///
    /// # Panics
    /// If fewer than `runs` steps were reported, or `runs` is 0.
    pub fn medians(&self, runs: usize) -> Result<StepReport, TrainError> {
        let reports = std::mem::take(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).1);
        let reports: Vec<StepReport> = reports.into_iter().collect::<Result<_, _>>()?;
        let last = &reports[reports.len() - runs..];
        let median = |of: fn(&StepReport) -> f64| clock::median(last.iter().map(of).collect());
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

    /// The result of an arm whose steps took `times`.
    fn measured(
        &self,
        times: Times,
        profiling: Profiling,
        device: &NamedDevice,
    ) -> Result<Measured, TrainError> {
        let report = self.medians(times.runs)?;
        let peak_bytes = memory::peak_bytes(&device.device, || self.step());
        let launches = device.adapter.as_ref().map(|_| launches::count(|| self.step()));
        let profile = (profiling == Profiling::On).then(|| launches::profile(|| self.step()));
        // An error of these steps would show in their reports.
        self.medians(1)?;
        // The step's own clock stops before a GPU has finished the update.
        let tokens_per_s = report.tokens as f64 * 1e3 / times.median_ms;
        let report = StepReport { tokens_per_s, ..report };
        Ok(Measured { arm: self.arm, times, report, peak_bytes, launches, profile })
    }
}

impl Case {
    /// Rows of a JSON file, one for each arm.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let shape = self.shape();
        self.measured.iter().map(|measured| measured.row(&shape, origin)).collect()
    }

    fn shape(&self) -> Value {
        let (config, means, workload) = (self.workload.model.config(), self.workload.means(), &self.workload);
        json!({
            "parameters": config.parameters(), "width": config.hidden_size, "inner": config.intermediate_size,
            "layers": config.num_hidden_layers, "heads": config.num_attention_heads,
            "kv_heads": config.num_key_value_heads, "qkv_bias": config.qkv_bias(), "vocab": config.vocab_size,
            "questions": workload.questions, "forks": workload.leads.len(), "traces": whole(means.traces),
            "prompt_tokens": whole(means.prompt), "trace_tokens": whole(means.trace),
            "match_tokens": workload.match_tokens,
        })
    }
}

impl Measured {
    fn row(&self, shape: &Value, origin: &Origin) -> Value {
        let Self { arm, times, report, peak_bytes, launches, profile } = self;
        let mut row = json!({
            "name": "step", "device": origin.device, "variant": arm.name(), "shape": shape,
            "median_ms": times.median_ms, "min_ms": times.min_ms, "runs": times.runs,
            "peak_bytes": peak_bytes, "ms_cost": report.ms_cost,
            "ms_match": report.ms_match, "ms_train": report.ms_train,
            "tokens": report.tokens, "tokens_per_s": report.tokens_per_s,
            "cost_saved": report.cost_saved, "retrained": report.retrained, "launches": launches,
        });
        if let Some(profile) = profile {
            let kernel = |kernel: &KernelTime| json!({"name": kernel.name, "launches": kernel.launches, "ms": kernel.ms});
            row["kernels"] = profile.kernels.iter().map(kernel).collect();
            row["profiled_launches"] = json!(profile.launched);
            row["timed_by_device_clock"] = json!(profile.by_device_clock);
        }
        row
    }
}

/// A mean as an integer where it is one.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 { json!(value as u64) } else { json!(value) }
}
