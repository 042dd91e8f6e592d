//! The page that compares several runs.

use crate::chart::{self, Chart, Scale, Series, Tick, chart};
use crate::comparison::{Arm, Comparison};
use crate::error::ReportError;
use crate::evaluation::EvaluationRecord;
use crate::measures::Unit;
use crate::record::RunRecord;
use crate::run_page::SHOWN_QUESTIONS;
use crate::statistics::Summary;
use crate::templates::{COMPARISON, render};
use minijinja::{context, value::Serde};
use serde_json::{Value, json};

/// Room on either side of an axis, as a share of its values' range.
const MARGIN: f64 = 0.05;
/// The least such room: 1 percentage point, or 0.05.
const LEAST_MARGIN_OF_SHARES: f64 = 0.01;
const LEAST_MARGIN_OF_NUMBERS: f64 = 0.05;
/// About this many ticks on an axis.
const TICKS: usize = 5;

/// HTML of the page that compares `runs`.
///
/// # Errors
/// [`ReportError::Template`] if the page cannot be written.
///
/// # Panics
/// If `comparisons` are not those of `runs`.
pub fn comparison_page(comparisons: &[Comparison], runs: &[RunRecord]) -> Result<String, ReportError> {
    let tasks: Vec<Value> = comparisons.iter().map(|comparison| task(comparison, runs)).collect();
    render(COMPARISON, context! { tasks => Serde(tasks), runs => runs.len() })
}

/// What the page shows of one task.
fn task(comparison: &Comparison, runs: &[RunRecord]) -> Value {
    let measures = comparison.measures.iter().enumerate();
    let plots: Vec<Value> =
        measures.map(|(index, (label, unit))| dots(comparison, index, label, *unit)).collect();
    let arms: Vec<Value> = comparison.arms.iter().map(|arm| first_seed(arm, &runs[arm.places[0]])).collect();
    json!({
        "data": comparison.data, "plots": plots, "arms": arms, "charts": charts(comparison, runs),
        "table": table(comparison),
    })
}

/// Forks and answers of an arm, from its run with the first seed.
fn first_seed(arm: &Arm, run: &RunRecord) -> Value {
    let evaluation = run.evaluation.as_ref();
    json!({
        "name": arm.name, "seeds": arm.seeds, "runs": arm.runs,
        "heats": evaluation.map(EvaluationRecord::strategy_heats),
        "strategies": evaluation.map(EvaluationRecord::strategies),
        "answers": evaluation.map(|evaluation| evaluation.first_answers(SHOWN_QUESTIONS)),
    })
}

/// Curves of all arms, each from its run with the first seed.
fn charts(comparison: &Comparison, runs: &[RunRecord]) -> Vec<Chart> {
    let series = |of: &dyn Fn(&RunRecord) -> Vec<(f64, f64)>| -> Vec<Series> {
        comparison.arms.iter().map(|arm| (arm.name.clone(), of(&runs[arm.places[0]]))).collect()
    };
    let charts = [
        chart("loss of the first seed, nats a token", Scale::Log, &series(&|run| run.series("loss"))),
        chart(
            "share of traces that kept their fork since the epoch before, first seed",
            Scale::Share,
            &series(&RunRecord::stability),
        ),
    ];
    charts.into_iter().flatten().collect()
}

/// A plot of one measure: a row for each arm with its mean, interval and runs on a common axis, in SVG units of
/// [`chart::WIDTH`].
fn dots(comparison: &Comparison, measure: usize, label: &str, unit: Unit) -> Value {
    let figures: Vec<(&String, Option<&Summary>)> =
        comparison.arms.iter().map(|arm| (&arm.name, arm.figures[measure].as_ref())).collect();
    let [low, high] = axis(figures.iter().filter_map(|(_, summary)| *summary), unit);
    let x = |value: f64| chart::WIDTH * (value - low) / (high - low);
    let row = |&(name, summary): &(&String, Option<&Summary>)| {
        let shown = summary.map(|summary| {
            json!({
                "mean": x(summary.mean), "text": unit.show(summary.mean),
                "ci": summary.ci95.map(|ci| ci.map(x)),
                "dots": summary.values.iter().map(|&value| x(value)).collect::<Vec<_>>(),
            })
        });
        json!({"name": name, "shown": shown})
    };
    let ticks: Vec<Tick> = (chart::round_steps(low, high, TICKS).into_iter())
        .map(|value| Tick { at: x(value), label: unit.show(value) })
        .collect();
    json!({"label": label, "rows": figures.iter().map(row).collect::<Vec<_>>(), "ticks": ticks})
}

/// Ends of an axis with room for all values and intervals.
fn axis<'a>(summaries: impl Iterator<Item = &'a Summary>, unit: Unit) -> [f64; 2] {
    let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
    for summary in summaries {
        for &value in summary.values.iter().chain(summary.ci95.iter().flatten()) {
            (low, high) = (low.min(value), high.max(value));
        }
    }
    let margin = (MARGIN * (high - low)).max(match unit {
        Unit::Share => LEAST_MARGIN_OF_SHARES,
        Unit::Number => LEAST_MARGIN_OF_NUMBERS,
    });
    [low - margin, high + margin]
}

/// Arms as rows, measures as columns. A cell has the mean, its interval and the difference to `ssft`.
fn table(comparison: &Comparison) -> Value {
    let cell = |arm: &Arm, index: usize| {
        let (figure, (_, unit)) = (arm.figures[index].as_ref(), &comparison.measures[index]);
        json!({
            "mean": figure.map(|summary| unit.show(summary.mean)),
            "ci95": figure.and_then(|summary| summary.ci95).map(|ci| ci.map(|end| unit.show(end))),
            "less": arm.less_ssft[index].as_ref().map(|summary| unit.show_difference(summary)),
        })
    };
    let row = |arm: &Arm| {
        let cells: Vec<Value> = (0..comparison.measures.len()).map(|index| cell(arm, index)).collect();
        json!({"name": arm.name, "cells": cells})
    };
    let labels: Vec<&String> = comparison.measures.iter().map(|(label, _)| label).collect();
    json!({"measures": labels, "rows": comparison.arms.iter().map(row).collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

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
        // The interval is 0.38 wide; the axis has a twentieth of that more on either side.
        let per_unit = chart::WIDTH / (0.38 * 1.1);
        assert!((at(&shown["ci"][1]) - at(&shown["ci"][0]) - 0.38 * per_unit).abs() < 1e-9);
        assert!((at(&shown["dots"][1]) - at(&shown["dots"][0]) - 0.03 * per_unit).abs() < 1e-9);
        assert!(at(&shown["ci"][0]) > 0.0 && at(&shown["ci"][1]) < chart::WIDTH);
    }
}
