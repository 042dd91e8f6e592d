//! Tables and figures for a terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use ssft_data::forks::fork_name;
use ssft_decode::Evaluation;
use ssft_decode::evaluate::Sample;
use ssft_train::CostMatrix;

/// An empty table in the house style.
pub fn plain(header: impl IntoIterator<Item = impl Into<Cell>>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(header);
    table
}

/// Figures stand right; the first column holds names.
pub fn align_figures(table: &mut Table) {
    // All but the names.
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

/// What an evaluation says, fork by fork and together.
pub fn evaluation(evaluation: &Evaluation) -> String {
    let mut header = vec!["fork", "correct"];
    header.extend(evaluation.strategies.iter().map(String::as_str));
    let mut table = plain(header);
    for score in &evaluation.forks {
        let mut row = vec![Cell::new(fork_name(score.fork - 1)), Cell::new(percent(score.pass_at_1))];
        row.extend(score.strategies.iter().map(Cell::new));
        table.add_row(row);
    }
    align_figures(&mut table);
    format!("{}\n{}", trimmed(&table), summary(evaluation))
}

fn summary(evaluation: &Evaluation) -> String {
    let forks = evaluation.forks.len();
    let mut parts = vec![
        format!("native Cons@{forks} {}", percent(evaluation.native_cons_at_n)),
        format!("some fork right {}", percent(evaluation.any_correct)),
        format!("different answers per question {:.2}", evaluation.distinct_answers),
    ];
    parts.extend(
        evaluation.distinct_strategies.map(|count| format!("different strategies per question {count:.2}")),
    );
    parts.extend(evaluation.mutual_information.map(|bits| format!("I(fork; strategy) {bits:.2} bits")));
    parts.extend(evaluation.chosen_fork.map(|fork| format!("chosen fork {}", fork_name(fork - 1))));
    parts.join("\n")
}

/// The answers of all forks to one question: the first of those with the most right ones.
pub fn example_answers(evaluation: &Evaluation) -> String {
    let questions = evaluation.samples.chunks(evaluation.forks.len().max(1));
    let right = |samples: &[Sample]| samples.iter().filter(|sample| sample.correct).count();
    // Of equal maxima `max_by_key` keeps the last, so the walk goes backwards.
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

/// A cost matrix with the matched cells marked.
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

/// `0.715` as `71.5 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn shortened(text: &str) -> String {
    let line: String = text.escape_debug().take(100).collect();
    if line.len() < text.len() { format!("{line}..") } else { line }
}

/// The table without the blanks that comfy-table leaves at line ends.
pub fn trimmed(table: &Table) -> String {
    let unpadded = |line: String| line.strip_prefix(' ').unwrap_or(&line).trim_end().to_owned();
    table.lines().map(unpadded).collect::<Vec<_>>().join("\n")
}
