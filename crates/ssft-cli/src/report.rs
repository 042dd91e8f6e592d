//! `report.html`: one self-contained file that says what a run did.

use crate::config::RunConfig;
use crate::exit::Failure;
use crate::metrics;
use crate::run::Run;
use crate::table::percent;
use minijinja::{Environment, context};
use serde_json::Value;
use ssft_data::forks::fork_name;
use ssft_decode::Evaluation;

const TEMPLATE: &str = include_str!("report.html.jinja");
/// Size of the drawing area of a curve, in SVG units.
const PLOT: (f64, f64) = (640.0, 180.0);
/// Points of a curve: more than the eye can tell apart.
const POINTS: usize = 320;

/// The text of the report.
///
/// # Errors
/// [`Failure::Run`] if the metrics cannot be read.
pub fn html(config: &RunConfig, run: &Run, evaluation: Option<&Evaluation>) -> Result<String, Failure> {
    let steps =
        metrics::read(&run.file("metrics.jsonl")).map_err(|error| run.failed("metrics.jsonl", error))?;
    let mut environment = Environment::new();
    environment.add_filter("percent", percent);
    environment.add_filter("fork", |index: usize| fork_name(index - 1));
    environment.add_template("report.html", TEMPLATE).map_err(Failure::run)?;
    let settings = toml::to_string(config).map_err(Failure::run)?;
    let page = environment.get_template("report.html").map_err(Failure::run)?;
    let answers = evaluation
        .map(|evaluation| &evaluation.samples[..evaluation.samples.len().min(4 * evaluation.forks.len())]);
    page.render(context! {
        title => format!("{} on {}", config.method.name(), config.task.as_deref().unwrap_or("your data")),
        settings,
        steps => steps.len(),
        curves => minijinja::value::Serde([
            curve("loss", "loss, nats a token", Scale::Log, &steps),
            curve("lr", "learning rate", Scale::Linear, &steps),
            curve("grad_norm", "gradient norm", Scale::Linear, &steps),
        ]),
        evaluation => minijinja::value::Serde(evaluation),
        answers => minijinja::value::Serde(answers),
    })
    .map_err(Failure::run)
}

/// How values become heights.
#[derive(Clone, Copy, PartialEq)]
enum Scale {
    /// From 0 to the highest.
    Linear,
    /// From the lowest to the highest, by their logarithms.
    Log,
}

/// A curve as an SVG path, averaged to what can be seen.
fn curve(key: &str, label: &str, scale: Scale, steps: &[Value]) -> Value {
    let values: Vec<f64> = steps.iter().filter_map(|step| step[key].as_f64()).collect();
    let bucket = values.len().div_ceil(POINTS).max(1);
    let points: Vec<f64> =
        values.chunks(bucket).map(|chunk| chunk.iter().sum::<f64>() / chunk.len() as f64).collect();
    let top = points.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let bottom = match scale {
        Scale::Linear => 0.0,
        Scale::Log => points.iter().copied().fold(top, f64::min).max(top * 1e-9),
    };
    let height = |value: f64| match scale {
        Scale::Linear => value / top,
        Scale::Log => (value.max(bottom) / bottom).ln() / (top / bottom).ln().max(f64::MIN_POSITIVE),
    };
    let across = PLOT.0 / (points.len().max(2) - 1) as f64;
    let path: Vec<String> = (points.iter().enumerate())
        .map(|(index, value)| format!("{:.1},{:.1}", index as f64 * across, PLOT.1 * (1.0 - height(*value))))
        .collect();
    let kind = if scale == Scale::Log { " on a log scale" } else { "" };
    serde_json::json!({
        "label": label,
        "points": path.join(" "),
        "range": format!("from {} to {}{kind}", significant(bottom), significant(top)),
        "first": values.first().map(|value| significant(*value)),
        "last": values.last().map(|value| significant(*value)),
    })
}

fn significant(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        value if value.abs() < 1e-3 => format!("{value:.2e}"),
        value => format!("{value:.4}"),
    }
}
