//! The tables of `bench steps`.

use super::{NONE, millions, three_digits};
use crate::table::{align_figures, plain, trimmed};
use ssft_bench::Arm;
use ssft_bench::memory::mebibytes;
use ssft_bench::steps::{Case, Measured};
use ssft_data::words::percent;
use ssft_kernels::launches::Profile;

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
/// Smallest share of the time of all kernels with a line of its own; kernels below it share one line.
const LEAST_SHARE: f64 = 0.01;

/// Table with a line for each arm of each case. "x random" is the time divided by that of `ssft-random` in the same case.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(COLUMNS);
    for case in cases {
        for measured in &case.measured {
            table.add_row(line(case, measured));
        }
    }
    align_figures(&mut table);
    trimmed(&table)
}

fn line(case: &Case, measured: &Measured) -> [String; 17] {
    let (means, workload) = (case.workload.means(), &case.workload);
    let random = case.measured.iter().find(|measured| measured.arm == Arm::SsftRandom);
    let ratio = random.map(|random| measured.times.median_ms / random.times.median_ms);
    let (report, short) = (&measured.report, |value: f64| format!("{value:.0}"));
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    let if_matching = |ms: f64| or_none(report.cost_saved.map(|_| three_digits(ms)));
    [
        measured.arm.name().to_owned(),
        workload.questions.to_string(),
        workload.leads.len().to_string(),
        short(means.traces),
        short(means.prompt),
        short(means.trace),
        workload.match_tokens.to_string(),
        millions(workload.model.config().parameters()),
        three_digits(measured.times.median_ms),
        or_none(ratio.map(|ratio| format!("{ratio:.2}"))),
        if_matching(report.ms_cost),
        if_matching(report.ms_match),
        three_digits(report.ms_train),
        short(report.tokens_per_s),
        or_none(report.cost_saved.map(percent)),
        mebibytes(measured.peak_bytes),
        or_none(measured.launches.map(|launches| launches.to_string())),
    ]
}

/// Tables of kernel times, one for each profiled arm.
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

/// Table with a line for each kernel with at least [`LEAST_SHARE`] of the time, and one for all others.
fn profile(arm: Arm, shape: &str, profile: &Profile) -> String {
    let total: f64 = profile.kernels.iter().map(|kernel| kernel.ms).sum();
    let mut table =
        plain([format!("{}, {shape}", arm.name()), "launches".into(), "ms".into(), "of all".into()]);
    let mut line = |name: &str, launches: u64, ms: f64| {
        table.add_row([name, &launches.to_string(), &three_digits(ms), &percent(ms / total)]);
    };
    let (large, small): (Vec<_>, Vec<_>) =
        profile.kernels.iter().partition(|kernel| kernel.ms >= LEAST_SHARE * total);
    large.iter().for_each(|kernel| line(&kernel.name, kernel.launches, kernel.ms));
    if !small.is_empty() {
        let launches = small.iter().map(|kernel| kernel.launches).sum();
        line(&format!("{} others", small.len()), launches, small.iter().map(|kernel| kernel.ms).sum());
    }
    align_figures(&mut table);
    format!("{}{}", trimmed(&table), timing_note(profile))
}

/// Note below the table if some launches were not timed, or not by the device's clock; else empty.
fn timing_note(profile: &Profile) -> String {
    let timed: u64 = profile.kernels.iter().map(|kernel| kernel.launches).sum();
    if (profile.launched, profile.by_device_clock) == (timed, timed) {
        return String::new();
    }
    let by_host = timed - profile.by_device_clock;
    format!(
        "\n{timed} of {} launches were timed, {by_host} of them by the host's clock (submission and waiting included)",
        profile.launched
    )
}
