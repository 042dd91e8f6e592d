//! The table of `bench kernels`.

use super::{NONE, three_digits};
use crate::table::{align_figures, plain, trimmed};
use ssft_bench::inputs::Variant;
use ssft_bench::kernels::{Case, Measured};
use ssft_bench::memory::mebibytes;

/// Columns. "extra" is memory in addition to inputs and results.
const COLUMNS: [&str; 11] = [
    "kernel",
    "rows",
    "width",
    "vocab",
    "fused ms",
    "reference ms",
    "ratio",
    "fused extra MiB",
    "reference extra MiB",
    "logits MiB",
    "fused extra/logits",
];
/// Text in place of the figures of a variant that was not run.
const REFUSED: &str = "refused";

/// Table with a line for each case, both variants on it.
pub fn table(cases: &[Case]) -> String {
    let mut table = plain(COLUMNS);
    for case in cases {
        table.add_row(line(case));
    }
    align_figures(&mut table);
    trimmed(&table)
}

fn line(case: &Case) -> [String; 11] {
    let shape = case.shape;
    let if_head = |text: String| if case.kernel.has_head() { text } else { NONE.to_owned() };
    let figure = |value: Option<f64>| value.map_or(NONE.to_owned(), three_digits);
    let [fused, reference] = case.outcomes.each_ref().map(|outcome| outcome.as_ref().ok());
    let ratio =
        fused.zip(reference).map(|(fused, reference)| fused.times.median_ms / reference.times.median_ms);
    let share = fused.map(|fused| fused.extra_bytes() as f64 / shape.logits_bytes() as f64);
    [
        case.kernel.name().to_owned(),
        shape.rows.to_string(),
        shape.width.to_string(),
        if_head(shape.vocab.to_string()),
        milliseconds(fused),
        milliseconds(reference),
        figure(ratio),
        extra(fused),
        extra(reference),
        if_head(mebibytes(shape.logits_bytes())),
        if_head(figure(share)),
    ]
}

fn milliseconds(measured: Option<&Measured>) -> String {
    measured.map_or(REFUSED.to_owned(), |measured| three_digits(measured.times.median_ms))
}

fn extra(measured: Option<&Measured>) -> String {
    measured.map_or(REFUSED.to_owned(), |measured| mebibytes(measured.extra_bytes()))
}

/// Reasons why variants were not run, each once: `reference: the logits take ..`.
pub fn refusals(cases: &[Case]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for case in cases {
        for (variant, outcome) in Variant::ALL.into_iter().zip(&case.outcomes) {
            let line = outcome.as_ref().err().map(|reason| format!("{}: {reason}", variant.name()));
            lines.extend(line.filter(|line| !lines.contains(line)));
        }
    }
    lines
}
