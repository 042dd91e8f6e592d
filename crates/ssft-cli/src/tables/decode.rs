//! The table of `bench decode`.

use super::{millions, three_digits};
use crate::table::{align_figures, plain, trimmed};
use ssft_bench::decode::{Case, Lengths};
use ssft_bench::memory::mebibytes;

const COLUMNS: [&str; 9] =
    ["way", "N", "P", "tokens", "M params", "ms", "x separate", "tokens/s", "peak MiB"];

/// Table with a line for each way of each case. "x separate" is the time divided by that of separate generations.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(COLUMNS);
    for case in cases {
        let Lengths { forks, prompt, answer } = case.lengths;
        let [separate, ..] = case.measured;
        for measured in &case.measured {
            let ms = measured.times.median_ms;
            table.add_row([
                measured.way.name().to_owned(),
                forks.to_string(),
                prompt.to_string(),
                answer.to_string(),
                millions(case.parameters),
                three_digits(ms),
                format!("{:.2}", ms / separate.times.median_ms),
                format!("{:.0}", (forks * answer) as f64 * 1e3 / ms),
                mebibytes(measured.peak_bytes),
            ]);
        }
    }
    align_figures(&mut table);
    trimmed(&table)
}
