//! The page of one run.

use crate::chart::{Chart, Scale, chart};
use crate::error::ReportError;
use crate::evaluation::EvaluationRecord;
use crate::probes::probes;
use crate::record::RunRecord;
use crate::templates::{RUN, render};
use minijinja::{context, value::Serde};

/// Questions whose answers a page shows.
pub(crate) const SHOWN_QUESTIONS: usize = 4;

/// HTML of the page of one run.
///
/// # Errors
/// [`ReportError::Template`], [`ReportError::Toml`] or [`ReportError::Json`] if the page cannot be written.
pub fn run_page(run: &RunRecord) -> Result<String, ReportError> {
    let evaluation = run.evaluation.as_ref();
    let page = context! {
        title => format!("{} on {}", run.config.method.name(), run.data()),
        settings => toml::to_string(&run.config)?,
        steps => run.steps.len(),
        charts => Serde(charts(run)),
        probes => Serde(probes(run)),
        coverage => Serde(run.forks.as_ref().map(|forks| &forks.coverage)),
        evaluation => Serde(evaluation.map(EvaluationRecord::without_samples).transpose()?),
        answers => Serde(evaluation.map(|evaluation| evaluation.first_answers(SHOWN_QUESTIONS))),
        heats => evaluation.map(|evaluation| Serde(evaluation.strategy_heats())),
    };
    render(RUN, page)
}

fn charts(run: &RunRecord) -> Vec<Chart> {
    let curve = |label: &str, scale, points| chart(label, scale, &[(String::new(), points)]);
    let charts = [
        curve("loss, nats a token", Scale::Log, run.series("loss")),
        curve("learning rate", Scale::Linear, run.series("lr")),
        curve("gradient norm", Scale::Linear, run.series("grad_norm")),
        curve("share of traces that kept their fork since the epoch before", Scale::Share, run.stability()),
    ];
    charts.into_iter().flatten().collect()
}
