//! Tables and figures for a terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use ssft_data::forks::fork_name;
use ssft_data::words::{counted, percent};
use ssft_decode::Evaluation;
use ssft_decode::score::Sample;
use ssft_train::CostMatrix;

/// An empty table without borders.
pub fn plain(header: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table
}

/// Aligns all columns right except the first, which holds names.
pub fn align_figures(table: &mut Table) {
    let mut columns = table.column_iter_mut();
    columns.next();
    columns.for_each(|column| {
        column.set_cell_alignment(CellAlignment::Right);
    });
}

/// Text of an evaluation: one table of each fork, one of all forks, one of their agreement. `asked` names the questions.
pub fn evaluation(evaluation: &Evaluation, asked: &str) -> String {
    let drawn = evaluation.samples_per_fork;
    let mut header = vec!["fork".to_owned(), "Pass@1".to_owned(), "95 % interval".to_owned()];
    header.extend(evaluation.strategies.iter().cloned());
    let mut table = plain(header);
    for score in &evaluation.forks {
        let mut row = vec![
            Cell::new(fork_name(score.fork - 1)),
            Cell::new(percent(score.pass_at_1)),
            Cell::new(interval(score.ci95, percent)),
        ];
        row.extend(score.strategies.iter().map(Cell::new));
        table.add_row(row);
    }
    align_figures(&mut table);
    let answers = match drawn {
        0 => "one greedy answer a fork".to_owned(),
        drawn => format!(
            "{} a fork; strategies, agreement and what differs are of the greedy ones",
            counted(drawn, "drawn answer")
        ),
    };
    let questions = evaluation.n_questions;
    let parts = [
        format!("{questions} {asked}, {answers}"),
        trimmed(&table),
        summary(evaluation),
        agreement(evaluation),
    ];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("\n\n")
}

/// `[61.0 % .. 73.5 %]`
fn interval(ci95: [f64; 2], shown: impl Fn(f64) -> String) -> String {
    format!("{} .. {}", shown(ci95[0]), shown(ci95[1]))
}

fn summary(evaluation: &Evaluation) -> String {
    let (figures, ci95) = (&evaluation.figures, &evaluation.ci95);
    let forks = evaluation.forks.len();
    let mut table = plain(["all forks", "", "95 % interval"]);
    let mut line = |name: String, value: f64, range: [f64; 2], shown: &dyn Fn(f64) -> String| {
        table.add_row([name, shown(value), interval(range, shown)]);
    };
    let decimals = |value: f64| format!("{value:.2}");
    if let (Some(value), Some(range), Some(fork)) =
        (figures.chosen_pass_at_1, ci95.chosen_pass_at_1, evaluation.chosen_fork)
    {
        line(format!("Pass@1 of the chosen {}", fork_name(fork - 1)), value, range, &percent);
    }
    for (k, value) in &figures.pass_at_k {
        line(format!("Pass@{k}"), *value, ci95.pass_at_k[k], &percent);
    }
    for (k, value) in &figures.cons_at_k {
        line(format!("Cons@{k}"), *value, ci95.cons_at_k[k], &percent);
    }
    line(format!("native Cons@{forks}"), figures.native_cons_at_n, ci95.native_cons_at_n, &percent);
    line("some fork right".to_owned(), figures.any_correct, ci95.any_correct, &percent);
    line("different answers".to_owned(), figures.distinct_answers, ci95.distinct_answers, &decimals);
    line("different texts".to_owned(), figures.distinct_traces, ci95.distinct_traces, &decimals);
    if let (Some(value), Some(range)) = (figures.distinct_strategies, ci95.distinct_strategies) {
        line("different strategies".to_owned(), value, range, &decimals);
    }
    if let (Some(value), Some(range)) = (figures.mutual_information, ci95.mutual_information) {
        line("I(fork; strategy), bits".to_owned(), value, range, &decimals);
    }
    align_figures(&mut table);
    trimmed(&table)
}

/// Share of questions to which two forks give the same answer, as a table; empty for one fork.
fn agreement(evaluation: &Evaluation) -> String {
    if evaluation.forks.len() < 2 {
        return String::new();
    }
    let names = evaluation.forks.iter().map(|score| fork_name(score.fork - 1));
    let mut table = plain(std::iter::once("same answer".to_owned()).chain(names.clone()));
    for (name, row) in names.zip(&evaluation.agreement) {
        table.add_row(std::iter::once(name).chain(row.iter().map(|&share| percent(share))));
    }
    align_figures(&mut table);
    trimmed(&table)
}

/// Table of the answers of all forks to one question: the first question with the largest number of right answers.
pub fn example_answers(evaluation: &Evaluation) -> String {
    let greedy: Vec<&Sample> = evaluation.samples.iter().filter(|sample| sample.greedy).collect();
    let questions = greedy.chunks(evaluation.forks.len().max(1));
    let right = |samples: &[&Sample]| samples.iter().filter(|sample| sample.correct).count();
    // `max_by_key` returns the last of equal maxima; reversed, that is the first question.
    let Some(ours) = questions.rev().max_by_key(|samples| right(samples)) else { return String::new() };
    let note = format!(", where {} of {} forks are right", right(ours), ours.len());
    let question = ours.first().and_then(|sample| sample.question.as_deref()).unwrap_or_default();
    let mut table = plain(["fork", "", &format!("answer to {}{note}", question.escape_debug())]);
    for sample in ours {
        let mark = if sample.correct { "right" } else { "wrong" };
        table.add_row([fork_name(sample.fork - 1), mark.to_owned(), shortened(&sample.text)]);
    }
    trimmed(&table)
}

/// Table of a cost matrix with a `*` at each matched cell.
pub fn costs(costs: &CostMatrix, sources: &[String], matched: &[usize]) -> String {
    let mut header = vec!["nats a token".to_owned()];
    header.extend(sources.iter().enumerate().map(|(trace, source)| format!("{} {source}", trace + 1)));
    let mut table = plain(header);
    for fork in 0..costs.forks {
        let mut row = vec![fork_name(fork)];
        for (trace, &matched) in matched.iter().enumerate() {
            let mark = if matched == fork { "*" } else { " " };
            row.push(format!("{:.4}{mark}", costs.at(fork, trace)));
        }
        table.add_row(row);
    }
    align_figures(&mut table);
    trimmed(&table)
}

fn shortened(text: &str) -> String {
    let line: String = text.escape_debug().take(100).collect();
    if line.len() < text.len() { format!("{line}..") } else { line }
}

/// The table without the blanks that comfy-table adds at both ends of a line.
pub fn trimmed(table: &Table) -> String {
    let unpadded = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    table.lines().map(unpadded).collect::<Vec<_>>().join("\n")
}
