//! `report`: HTML report of one run, or comparison of several runs.

use crate::args::ReportArgs;
use crate::exit::Failure;
use crate::result_file::{check_target, write_result};
use comfy_table::{Table, presets};
use serde_json::{Value, json};
use ssft_data::words::counted;
use ssft_report::evaluation::EvaluationRecord;
use ssft_report::measures::Unit;
use ssft_report::statistics::Summary;
use ssft_report::{Comparison, RunRecord, check_comparable, compare, comparison_page, run_page};

pub fn report(args: &ReportArgs) -> Result<(), Failure> {
    check_target(args.out.as_deref())?;
    check_target(args.json.as_deref())?;
    let default = args.runs[0].join("report.html");
    let out = match (&args.out, args.runs.len()) {
        (Some(path), _) => path,
        (None, 1) => &default,
        (None, _) => {
            return Err(Failure::Usage(
                "several runs are compared in one page; give its name as --out".to_owned(),
            ));
        }
    };
    let runs = args.runs.iter().map(|run| RunRecord::read(run)).collect::<Result<Vec<_>, _>>()?;
    check_comparable(&runs)?;
    let comparisons = compare(&runs);
    let page = match &runs[..] {
        [run] => run_page(run)?,
        runs => comparison_page(&comparisons, runs)?,
    };
    write_result(out, &page)?;
    if let Some(path) = &args.json {
        let text = serde_json::to_string_pretty(&summary(&comparisons, &runs)?).map_err(Failure::run)?;
        write_result(path, &(text + "\n"))?;
    }
    if !args.quiet {
        println!("{}", out.display());
        if runs.len() > 1 {
            comparisons.iter().for_each(|comparison| println!("\n{}", markdown(comparison)));
        }
    }
    Ok(())
}

/// JSON of the comparisons, and of the settings and figures of each run.
fn summary(comparisons: &[Comparison], runs: &[RunRecord]) -> Result<Value, Failure> {
    let run = |run: &RunRecord| -> Result<Value, Failure> {
        let evaluation = run.evaluation.as_ref().map(EvaluationRecord::without_samples).transpose();
        let settings = serde_json::to_value(&run.config).map_err(Failure::run)?;
        Ok(json!({
            "name": run.name, "settings": settings, "evaluation": evaluation.map_err(Failure::run)?,
            "coverage": run.forks.as_ref().map(|forks| &forks.coverage),
            "matching_kept": run.final_stability(),
        }))
    };
    let runs = runs.iter().map(run).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"comparisons": comparisons, "runs": runs}))
}

/// Markdown table with a line for each measure: a column for each arm, then a column for each difference to `ssft`.
fn markdown(comparison: &Comparison) -> String {
    let mut table = Table::new();
    let mut header = vec![comparison.data.clone()];
    for arm in &comparison.arms {
        header.push(format!("{} ({})", arm.name, counted(arm.seeds.len(), "seed")));
    }
    let others: Vec<_> =
        comparison.arms.iter().filter(|arm| arm.less_ssft.iter().any(Option::is_some)).collect();
    header.extend(others.iter().map(|arm| format!("{} less ssft", arm.name)));
    table.load_style(presets::ASCII_MARKDOWN).set_header(header);
    for (index, (label, unit)) in comparison.measures.iter().enumerate() {
        let mut row = vec![label.clone()];
        row.extend(comparison.arms.iter().map(|arm| cell(*unit, arm.figures[index].as_ref())));
        row.extend(others.iter().map(|arm| {
            arm.less_ssft[index]
                .as_ref()
                .map_or_else(|| "-".to_owned(), |summary| unit.show_difference(summary))
        }));
        table.add_row(row);
    }
    table.lines().collect::<Vec<_>>().join("\n")
}

/// Mean and half width of its 95 % interval: `68.4 % ±2.1`.
fn cell(unit: Unit, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return "-".to_owned() };
    let half = summary.ci95.map(|[low, high]| (high - low) / 2.0);
    let half = half.map(|half| match unit {
        Unit::Share => format!(" ±{:.1}", 100.0 * half),
        Unit::Number => format!(" ±{half:.2}"),
    });
    format!("{}{}", unit.show(summary.mean), half.unwrap_or_default())
}
