//! `report.html`: one self-contained file that says what a run did, or how several compare.
//!
//! ```text
//! run directory -> record -> chart, comparison -> templates (*.jinja) -> one file
//! ```

pub mod chart;
pub mod comparison;
pub mod record;

use crate::exit::Failure;
use crate::table::percent;
use chart::{Chart, Scale, Series, Tick, chart};
use comparison::{Comparison, Unit};
use minijinja::{Environment, context, value::Serde};
use record::RunRecord;
use serde_json::{Value, json};
use ssft_data::forks::fork_name;
use ssft_run::store::without_samples;

/// Questions whose answers are shown.
const SHOWN_QUESTIONS: usize = 4;
/// Shared by both pages, then the pages.
const TEMPLATES: [(&str, &str); 4] = [
    ("style.jinja", include_str!("style.jinja")),
    ("parts.jinja", include_str!("parts.jinja")),
    ("run.html", include_str!("run.html.jinja")),
    ("comparison.html", include_str!("comparison.html.jinja")),
];

/// The report of one run.
///
/// # Errors
/// [`Failure::Run`] if the templates fail.
pub fn run_page(run: &RunRecord) -> Result<String, Failure> {
    let evaluation = run.evaluation.as_ref();
    let curve = |label: &str, scale, key: &str| chart(label, scale, &[(String::new(), run.series(key))]);
    let charts: Vec<Chart> = [
        curve("loss, nats a token", Scale::Log, "loss"),
        curve("learning rate", Scale::Linear, "lr"),
        curve("gradient norm", Scale::Linear, "grad_norm"),
        chart(
            "share of traces that kept their fork since the epoch before",
            Scale::Share,
            &[(String::new(), run.stability())],
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    let page = context! {
        title => format!("{} on {}", run.config.method.name(), run.data()),
        settings => toml::to_string(&run.config).map_err(Failure::run)?,
        steps => run.steps.len(),
        charts => Serde(charts),
        probes => Serde(probes(run)),
        coverage => Serde(run.forks.as_ref().map(|forks| &forks.coverage)),
        evaluation => Serde(evaluation.map(without_samples).transpose().map_err(Failure::run)?),
        answers => Serde(evaluation.map(shown_answers)),
        heats => evaluation.map(|evaluation| Serde(strategy_heats(evaluation))),
    };
    render("run.html", page)
}

/// The report of several runs.
///
/// # Errors
/// As [`run_page`].
pub fn comparison_page(comparisons: &[Comparison], runs: &[RunRecord]) -> Result<String, Failure> {
    let tasks: Vec<Value> = comparisons.iter().map(|comparison| task(comparison, runs)).collect();
    render("comparison.html", context! { tasks => Serde(tasks), runs => runs.len() })
}

fn render(name: &str, page: minijinja::Value) -> Result<String, Failure> {
    let mut environment = Environment::new();
    environment.add_filter("percent", percent);
    environment.add_filter("fork", |index: usize| fork_name(index - 1));
    for (name, text) in TEMPLATES {
        environment.add_template(name, text).map_err(Failure::run)?;
    }
    environment.get_template(name).and_then(|template| template.render(page)).map_err(Failure::run)
}

/// The greedy answers of all forks to the first questions.
fn shown_answers(evaluation: &Value) -> Vec<&Value> {
    let samples = evaluation["samples"].as_array().into_iter().flatten();
    let forks = evaluation["forks"].as_array().map_or(1, Vec::len);
    samples.filter(|sample| sample["greedy"] == true).take(SHOWN_QUESTIONS * forks).collect()
}

/// How often each fork showed each strategy, as names and shares: `{name, cells: [{count, share}]}`.
fn strategy_heats(evaluation: &Value) -> Vec<Value> {
    let total = evaluation["n_questions"].as_f64().unwrap_or(1.0).max(1.0);
    let row = |fork: &Value| {
        let counts = fork["strategies"].as_array().into_iter().flatten();
        let cell =
            |count: &Value| json!({"text": count, "share": count.as_f64().unwrap_or_default() / total});
        let name = fork_name(fork["fork"].as_u64().unwrap_or(1).max(1) as usize - 1);
        json!({"name": name, "cells": counts.map(cell).collect::<Vec<_>>()})
    };
    evaluation["forks"].as_array().into_iter().flatten().map(row).collect()
}

/// Question by question, its cost matrices over the run: each cell with its cost, whether it is matched, and how low its
/// cost is in that matrix, 1 for the lowest.
fn probes(run: &RunRecord) -> Vec<Value> {
    let mut questions: Vec<Value> = Vec::new();
    for line in run.steps.iter().filter(|line| line["probe"].is_array()) {
        for probe in line["probe"].as_array().into_iter().flatten() {
            let at =
                questions.iter().position(|question| question["id"] == probe["id"]).unwrap_or_else(|| {
                    questions.push(json!({"id": probe["id"], "sources": probe["sources"], "times": []}));
                    questions.len() - 1
                });
            if let Some(times) = questions[at]["times"].as_array_mut() {
                times.push(json!({"step": line["step"], "rows": cells(probe)}));
            }
        }
    }
    questions
}

fn cells(probe: &Value) -> Vec<Vec<Value>> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(probe["costs"].clone()).unwrap_or_default();
    let forks: Vec<usize> = serde_json::from_value(probe["forks"].clone()).unwrap_or_default();
    let all = || rows.iter().flatten().copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let cell = |fork: usize, trace: usize, cost: f64| {
        let share = (high - cost) / (high - low).max(f64::MIN_POSITIVE);
        json!({"cost": format!("{cost:.4}"), "share": share, "matched": forks.get(trace) == Some(&(fork + 1))})
    };
    let row = |(fork, costs): (usize, &Vec<f64>)| {
        costs.iter().enumerate().map(|(trace, &cost)| cell(fork, trace, cost)).collect()
    };
    rows.iter().enumerate().map(row).collect()
}

/// Everything the page shows of one task.
fn task(comparison: &Comparison, runs: &[RunRecord]) -> Value {
    let plots: Vec<Value> = (comparison.measures.iter().enumerate())
        .map(|(index, (label, unit))| dots(comparison, index, label, *unit))
        .collect();
    let arms: Vec<Value> = (comparison.arms.iter())
        .map(|arm| {
            let evaluation = runs[arm.places[0]].evaluation.as_ref();
            json!({
                "name": arm.name, "seeds": arm.seeds, "runs": arm.runs,
                "heats": evaluation.map(strategy_heats),
                "strategies": evaluation.map(|evaluation| &evaluation["strategies"]),
                "answers": evaluation.map(shown_answers),
            })
        })
        .collect();
    let series = |of: &dyn Fn(&RunRecord) -> Vec<(f64, f64)>| -> Vec<Series> {
        comparison.arms.iter().map(|arm| (arm.name.clone(), of(&runs[arm.places[0]]))).collect()
    };
    let charts: Vec<Chart> = [
        chart("loss of the first seed, nats a token", Scale::Log, &series(&|run| run.series("loss"))),
        chart(
            "share of traces that kept their fork since the epoch before, first seed",
            Scale::Share,
            &series(&RunRecord::stability),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    json!({"data": comparison.data, "plots": plots, "arms": arms, "charts": charts, "table": table(comparison)})
}

/// A row an arm: its mean, interval and runs on one axis, in SVG units of [`chart::WIDTH`].
fn dots(comparison: &Comparison, measure: usize, label: &str, unit: Unit) -> Value {
    let figures: Vec<_> = comparison.arms.iter().map(|arm| (&arm.name, &arm.figures[measure])).collect();
    let summaries = || figures.iter().filter_map(|(_, summary)| summary.as_ref());
    let ends = |summary: &comparison::Summary| summary.ci95.into_iter().flatten().collect::<Vec<_>>();
    let values = || summaries().flat_map(|summary| [summary.values.clone(), ends(summary)].concat());
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let margin = (0.05 * (high - low)).max(match unit {
        Unit::Share => 0.01,
        Unit::Number => 0.05,
    });
    let (low, high) = (low - margin, high + margin);
    let x = |value: f64| chart::WIDTH * (value - low) / (high - low);
    let row = |(name, summary): &(&String, &Option<comparison::Summary>)| {
        let shown = summary.as_ref().map(|summary| {
            json!({
                "mean": x(summary.mean), "text": unit.show(summary.mean),
                "ci": summary.ci95.map(|ci| ci.map(x)),
                "dots": summary.values.iter().map(|&value| x(value)).collect::<Vec<_>>(),
            })
        });
        json!({"name": name, "shown": shown})
    };
    let ticks: Vec<Tick> = (chart::round_steps(low, high, 5).into_iter())
        .map(|value| Tick { at: x(value), label: unit.show(value) })
        .collect();
    json!({"label": label, "rows": figures.iter().map(row).collect::<Vec<_>>(), "ticks": ticks})
}

/// Arms as rows, measures as columns: `mean [interval]`, and the difference to `ssft` below.
fn table(comparison: &Comparison) -> Value {
    let rows: Vec<Value> = (comparison.arms.iter())
        .map(|arm| {
            let cells = (0..comparison.measures.len()).map(|index| {
                let unit = comparison.measures[index].1;
                json!({
                    "mean": arm.figures[index].as_ref().map(|summary| unit.show(summary.mean)),
                    "ci95": arm.figures[index].as_ref().and_then(|s| s.ci95).map(|ci| ci.map(|end| unit.show(end))),
                    "less": arm.less_ssft[index].as_ref().map(|summary| difference(unit, summary)),
                })
            });
            json!({"name": arm.name, "cells": cells.collect::<Vec<_>>()})
        })
        .collect();
    json!({"measures": comparison.measures.iter().map(|(label, _)| label).collect::<Vec<_>>(), "rows": rows})
}

/// `-3.4 [-5.1 .. -1.7]`, shares in percentage points.
pub fn difference(unit: Unit, summary: &comparison::Summary) -> String {
    let by = match unit {
        Unit::Share => 100.0,
        Unit::Number => 1.0,
    };
    let signed = |value: f64| match unit {
        Unit::Share => format!("{:+.1}", by * value),
        Unit::Number => format!("{value:+.2}"),
    };
    let interval = summary.ci95.map(|[low, high]| format!(" [{} .. {}]", signed(low), signed(high)));
    format!("{}{}", signed(summary.mean), interval.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use comparison::{Arm, Summary};

    /// An axis was made for the runs alone, and a wide interval looked as narrow as they lay.
    #[test]
    fn an_axis_has_room_for_the_intervals() {
        let summary = Summary { mean: 0.72, ci95: Some([0.53, 0.91]), values: vec![0.707, 0.737] };
        let arm = Arm {
            name: "ssft".into(),
            seeds: vec![1, 2],
            runs: vec![],
            places: vec![0, 1],
            figures: vec![Some(summary)],
            less_ssft: vec![None],
        };
        let measures = vec![("Pass@1".to_owned(), Unit::Share)];
        let comparison = Comparison { data: String::new(), measures, arms: vec![arm] };
        let shown = dots(&comparison, 0, "Pass@1", Unit::Share)["rows"][0]["shown"].take();
        let at = |value: &Value| value.as_f64().expect("a place");
        // 0.38 wide, and a twentieth of that on either side.
        let per_unit = chart::WIDTH / (0.38 * 1.1);
        assert!((at(&shown["ci"][1]) - at(&shown["ci"][0]) - 0.38 * per_unit).abs() < 1e-9);
        assert!((at(&shown["dots"][1]) - at(&shown["dots"][0]) - 0.03 * per_unit).abs() < 1e-9);
        assert!(at(&shown["ci"][0]) > 0.0 && at(&shown["ci"][1]) < chart::WIDTH);
    }
}
