//! Markdown tables of figures.

use std::fmt::Write as _;

use serde_json::Value;

/// Two times to compare, in ms: ours, and another's.
pub struct Ratio {
    names: [String; 3],
    ours: f64,
    other: f64,
}

impl Ratio {
    pub fn new(names: [&str; 3], ours: &Value, other: &Value) -> Self {
        let [ours, other] = [ours, other].map(|row| number(row, "median_ms"));
        Self { names: names.map(str::to_owned), ours, other }
    }
}

pub fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

pub fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or(f64::NAN)
}

pub fn mebibytes(value: &Value, key: &str) -> String {
    value[key].as_f64().map_or("-".to_owned(), |bytes| three_digits(bytes / f64::from(1 << 20)))
}

/// A figure with three significant digits and at most four decimals: `0.0123`, `1.23`, `123`.
pub fn three_digits(value: f64) -> String {
    let decimals = (2.0 - value.abs().max(1e-9).log10().floor()).clamp(0.0, 4.0);
    format!("{value:.0$}", decimals as usize)
}

/// Markdown table; empty if `lines` is empty. The first `names` columns are aligned left, the others right.
pub fn table(header: &[&str], names: usize, lines: &[Vec<String>]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let rule: Vec<&str> = (0..header.len()).map(|at| if at < names { "---" } else { "--:" }).collect();
    let mut text = format!("| {} |\n|{}|\n", header.join(" | "), rule.join("|"));
    for line in lines {
        let _ = writeln!(text, "| {} |", line.join(" | "));
    }
    text
}

/// Table of ratios, the largest (our worst) first.
pub fn ratios(names: [&str; 3], mut ratios: Vec<Ratio>) -> String {
    ratios.sort_by(|a, b| (b.ours / b.other).total_cmp(&(a.ours / a.other)));
    let line = |ratio: Ratio| {
        let quotient = format!("{:.2}", ratio.ours / ratio.other);
        ratio
            .names
            .into_iter()
            .chain([three_digits(ratio.ours), three_digits(ratio.other), quotient])
            .collect()
    };
    let [a, b, c] = names;
    let lines: Vec<Vec<String>> = ratios.into_iter().map(line).collect();
    table(&[a, b, c, "ours ms", "other ms", "ratio"], 3, &lines)
}
