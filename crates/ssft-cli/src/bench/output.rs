//! The figures, as a table for people and as JSON.

use super::cases::Variant;
use super::{Case, Measured};
use crate::table::{align_figures, plain, trimmed};
use serde_json::{Value, json};
use ssft_run::device::NamedDevice;

/// The columns; extra is what lies beyond inputs and results.
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
/// Stands where there is no figure.
const NONE: &str = "-";
/// Stands where there could not be one.
const REFUSED: &str = "refused";

/// Where figures were taken.
#[derive(Debug)]
pub struct Origin {
    machine: String,
    adapter: String,
    device: &'static str,
}

impl Origin {
    /// This machine and `device`.
    pub fn of(device: &NamedDevice) -> Self {
        let kind = if device.adapter.is_some() { "wgpu" } else { "cpu" };
        Self { machine: machine(), adapter: device.name.clone(), device: kind }
    }

    /// The commit that the program was built on; it does not tell what was changed since.
    fn commit() -> &'static str {
        env!("SSFT_COMMIT")
    }

    /// Lines that go above a table.
    pub fn describe(&self) -> String {
        format!("machine  {}\nadapter  {}\ncommit   {}", self.machine, self.adapter, Self::commit())
    }

    /// One object a variant of a case.
    pub fn rows(&self, cases: &[Case]) -> Vec<Value> {
        let mut rows = Vec::new();
        for case in cases {
            let variants = Variant::ALL.into_iter().zip(&case.outcomes);
            rows.extend(variants.map(|(variant, outcome)| self.row(case, variant, outcome)));
        }
        rows
    }

    /// The content of a file of figures.
    pub fn file(&self, rows: Vec<Value>) -> Value {
        json!({"machine": self.machine, "adapter": self.adapter, "commit": Self::commit(), "rows": rows})
    }

    /// `cpu` or `wgpu`.
    pub fn device(&self) -> &'static str {
        self.device
    }

    fn row(&self, case: &Case, variant: Variant, outcome: &Result<Measured, String>) -> Value {
        let measured = outcome.as_ref().ok();
        let mut row = json!({
            "name": case.kernel.name(),
            "device": self.device,
            "variant": variant.name(),
            "shape": {
                "rows": case.shape.rows,
                "width": case.shape.width,
                "vocab": case.kernel.has_head().then_some(case.shape.vocab),
            },
            "median_ms": measured.map(|measured| measured.times.median_ms),
            "min_ms": measured.map(|measured| measured.times.min_ms),
            "runs": measured.map_or(0, |measured| measured.times.runs),
            "peak_bytes": measured.map(|measured| measured.peak_bytes),
            "result_bytes": measured.map(|measured| measured.result_bytes),
        });
        if let Err(reason) = outcome {
            row["refused"] = json!(reason);
        }
        row
    }
}

/// `AMD EPYC 7B13, 2 threads, linux`: the processor, where Linux names it.
fn machine() -> String {
    let threads = rayon::current_num_threads();
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or(std::env::consts::ARCH, |line| line.trim_start_matches([' ', '\t', ':']));
    format!("{model}, {threads} threads, {}", std::env::consts::OS)
}

/// One line a case, the two variants beside each other.
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
    let only_head = |text: String| if case.kernel.has_head() { text } else { NONE.to_owned() };
    let figure = |value: Option<f64>| value.map_or(NONE.to_owned(), three_digits);
    let [fused, reference] = case.outcomes.each_ref().map(|outcome| outcome.as_ref().ok());
    let ratio =
        fused.zip(reference).map(|(fused, reference)| fused.times.median_ms / reference.times.median_ms);
    let share = fused.map(|fused| fused.extra_bytes() as f64 / shape.logits_bytes() as f64);
    [
        case.kernel.name(),
        shape.rows.to_string(),
        shape.width.to_string(),
        only_head(shape.vocab.to_string()),
        milliseconds(fused),
        milliseconds(reference),
        figure(ratio),
        extra(fused),
        extra(reference),
        only_head(mebibytes(shape.logits_bytes())),
        only_head(figure(share)),
    ]
}

fn milliseconds(measured: Option<&Measured>) -> String {
    measured.map_or(REFUSED.to_owned(), |measured| three_digits(measured.times.median_ms))
}

fn extra(measured: Option<&Measured>) -> String {
    measured.map_or(REFUSED.to_owned(), |measured| mebibytes(measured.extra_bytes()))
}

/// Why variants were not run, each reason once.
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

/// As many decimals as make three digits, but at most four: `0.0123`, `1.23`, `123`.
pub fn three_digits(value: f64) -> String {
    let decimals = (2.0 - value.max(1e-9).log10().floor()).clamp(0.0, 4.0);
    format!("{value:.0$}", decimals as usize)
}

/// Bytes in MiB, for people.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_digits() {
        let shown = [0.0, 0.001_234, 0.012_34, 0.1, 1.0, 99.92, 1234.4].map(three_digits);
        assert_eq!(shown, ["0.0000", "0.0012", "0.0123", "0.100", "1.00", "99.9", "1234"]);
    }
}
