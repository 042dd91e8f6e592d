//! The figures of whole steps, as a table for people and as JSON.

use super::output::{Origin, mebibytes, three_digits};
use super::steps::{Arm, Measured, Workload};
use crate::table::{align_figures, percent, plain, trimmed};
use serde_json::{Value, json};
use ssft_kernels::launches::{KernelTime, Profile};

const COLUMNS: [&str; 17] = [
    "arm",
    "B",
    "N",
    "M",
    "P",
    "T",
    "L",
    "M params",
    "ms",
    "x random",
    "cost ms",
    "match ms",
    "train ms",
    "tokens/s",
    "cost saved",
    "peak MiB",
    "launches",
];
/// Stands where there is no figure.
const NONE: &str = "-";

/// All arms at one shape.
#[derive(Debug)]
pub struct Case {
    /// What they trained on.
    pub workload: Workload,
    /// What was found.
    pub measured: Vec<Measured>,
}

impl Case {
    /// One object an arm.
    pub fn rows(&self, origin: &Origin) -> Vec<Value> {
        let (config, means, workload) = (self.workload.model.config(), self.workload.means(), &self.workload);
        let shape = json!({
            "parameters": config.parameters(), "width": config.hidden_size, "inner": config.intermediate_size,
            "layers": config.num_hidden_layers, "heads": config.num_attention_heads,
            "kv_heads": config.num_key_value_heads, "qkv_bias": config.qkv_bias(), "vocab": config.vocab_size,
            "questions": workload.questions, "forks": workload.leads.len(), "traces": whole(means.traces),
            "prompt_tokens": whole(means.prompt), "trace_tokens": whole(means.trace),
            "match_tokens": workload.match_tokens,
        });
        let row = |measured: &Measured| {
            let mut row = json!({
                "name": "step", "device": origin.device(), "variant": measured.arm.name(), "shape": shape,
                "median_ms": measured.times.median_ms, "min_ms": measured.times.min_ms, "runs": measured.times.runs,
                "peak_bytes": measured.peak_bytes, "ms_cost": measured.report.ms_cost,
                "ms_match": measured.report.ms_match, "ms_train": measured.report.ms_train,
                "tokens": measured.report.tokens, "tokens_per_s": measured.report.tokens_per_s,
                "cost_saved": measured.report.cost_saved, "retrained": measured.report.retrained, "launches": measured.launches,
            });
            if let Some(profile) = &measured.profile {
                let kernel = |kernel: &KernelTime| json!({"name": kernel.name, "launches": kernel.launches, "ms": kernel.ms});
                row["kernels"] = profile.kernels.iter().map(kernel).collect();
                row["profiled_launches"] = json!(profile.launched);
                row["timed_by_device_clock"] = json!(profile.by_device_clock);
            }
            row
        };
        self.measured.iter().map(row).collect()
    }

    fn line(&self, measured: &Measured) -> [String; 17] {
        let (means, workload) = (self.workload.means(), &self.workload);
        let random = self.measured.iter().find(|measured| measured.arm == Arm::SsftRandom);
        let ratio = random.map(|random| measured.times.median_ms / random.times.median_ms);
        let (report, short) = (&measured.report, |value: f64| format!("{:.0}", value));
        let only = |shown: bool, text: String| if shown { text } else { NONE.to_owned() };
        let matches = report.cost_saved.is_some();
        [
            measured.arm.name().to_owned(),
            workload.questions.to_string(),
            workload.leads.len().to_string(),
            short(means.traces),
            short(means.prompt),
            short(means.trace),
            workload.match_tokens.to_string(),
            format!("{:.2}", workload.model.config().parameters() as f64 / 1e6),
            three_digits(measured.times.median_ms),
            ratio.map_or(NONE.to_owned(), |ratio| format!("{ratio:.2}")),
            only(matches, three_digits(report.ms_cost)),
            only(matches, three_digits(report.ms_match)),
            three_digits(report.ms_train),
            short(report.tokens_per_s),
            report.cost_saved.map_or(NONE.to_owned(), percent),
            mebibytes(measured.peak_bytes),
            measured.launches.map_or(NONE.to_owned(), |launches| launches.to_string()),
        ]
    }
}

/// A count as an integer, a mean that is none as it is.
fn whole(value: f64) -> Value {
    if value.fract() == 0.0 { json!(value as u64) } else { json!(value) }
}

/// Where the time of each arm goes, kernel by kernel; empty where none was profiled.
pub fn profiles(cases: &[Case]) -> String {
    let profiled = |case: &Case| {
        let means = case.workload.means();
        let shape = format!("P {:.0}, T {:.0}, L {}", means.prompt, means.trace, case.workload.match_tokens);
        let measured = case.measured.iter();
        let tables =
            measured.filter_map(|measured| Some(profile(measured.arm, &shape, measured.profile.as_ref()?)));
        tables.collect::<Vec<_>>()
    };
    cases.iter().flat_map(profiled).collect::<Vec<_>>().join("\n\n")
}

/// One line per kernel; those that take less than 1 % of the time are one line together.
fn profile(arm: Arm, shape: &str, profile: &Profile) -> String {
    let total: f64 = profile.kernels.iter().map(|kernel| kernel.ms).sum();
    let mut table =
        plain([format!("{}, {shape}", arm.name()), "launches".into(), "ms".into(), "of all".into()]);
    let mut line = |name: &str, launches: u64, ms: f64| {
        table.add_row([name, &launches.to_string(), &three_digits(ms), &percent(ms / total)]);
    };
    let (large, small): (Vec<_>, Vec<_>) =
        profile.kernels.iter().partition(|kernel| kernel.ms >= 0.01 * total);
    large.iter().for_each(|kernel| line(&kernel.name, kernel.launches, kernel.ms));
    if !small.is_empty() {
        let launches = small.iter().map(|kernel| kernel.launches).sum();
        line(&format!("{} others", small.len()), launches, small.iter().map(|kernel| kernel.ms).sum());
    }
    align_figures(&mut table);
    let timed: u64 = profile.kernels.iter().map(|kernel| kernel.launches).sum();
    let mut text = trimmed(&table);
    if (profile.launched, profile.by_device_clock) != (timed, timed) {
        let by_host = timed - profile.by_device_clock;
        text += &format!(
            "\n{timed} of {} launches were timed, {by_host} of them by the host's clock (submission and waiting included)",
            profile.launched
        );
    }
    text
}

/// One line an arm and shape. *x random* is the time over that of `ssft-random` at the same shape.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(COLUMNS);
    for case in cases {
        for measured in &case.measured {
            table.add_row(case.line(measured));
        }
    }
    align_figures(&mut table);
    trimmed(&table)
}
