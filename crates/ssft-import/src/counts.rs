//! Counts of kept and dropped rows, questions and traces.

use crate::unread::Unread;
use ssft_data::words::counted;
use std::collections::BTreeMap;
use std::fmt;

/// Reason to drop a trace, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TraceDrop {
    /// Empty or white space.
    Empty,
    /// The row's lists of traces and verdicts differ in length.
    UnequalLists,
    /// The dataset marks the trace as incomplete.
    Incomplete,
    /// The dataset marks the answer as wrong.
    Wrong,
    /// The question already has a trace with this text.
    Twice,
    /// The question already has [`ImportSettings::max_traces`](crate::ImportSettings::max_traces) traces.
    BeyondLimit,
    /// The line of the record would exceed the line limit.
    LineFull,
    /// The question of the trace is dropped.
    QuestionDropped,
}

/// Reason to drop a question, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QuestionDrop {
    /// The question is empty.
    NoQuestion,
    /// A chat without a message of the assistant.
    NoReply,
    /// A chat with a role other than system, user and assistant, for example `tool`.
    OtherRole,
    /// A chat that calls tools, up to its last reply.
    Calls,
    /// A chat with content that is no text, for example an image.
    OtherParts,
    /// A chat with an empty message of the user or an empty earlier reply.
    EmptyTurn,
    /// A chat with a reply right before its last one, which would be the end of the prompt.
    TwoReplies,
    /// No usable trace.
    NoTrace,
    /// Fewer usable traces than [`ImportSettings::min_traces`](crate::ImportSettings::min_traces).
    TooFewTraces,
}

impl fmt::Display for TraceDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::UnequalLists => "in rows whose lists differ in length",
            Self::Incomplete => "not complete",
            Self::Wrong => "wrong by their grade",
            Self::Twice => "the same text twice",
            Self::BeyondLimit => "beyond `traces`",
            Self::LineFull => "beyond the longest line that can be read",
            Self::QuestionDropped => "of questions with too few",
        })
    }
}

impl fmt::Display for QuestionDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoQuestion => "that ask nothing",
            Self::NoReply => "without a reply",
            Self::OtherRole => "with a role other than system, user and assistant",
            Self::Calls => "with calls of tools",
            Self::OtherParts => "with parts other than text",
            Self::EmptyTurn => "with an empty turn",
            Self::TwoReplies => "with two replies at the end",
            Self::NoTrace => "without a usable trace",
            Self::TooFewTraces => "with fewer traces than `min-traces`",
        })
    }
}

/// Result of an import.
///
/// Each trace of a row with a question is counted once, as kept or as dropped. A row without a question, or with an
/// unusable chat, counts as a dropped question.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read.
    pub rows: usize,
    /// Questions written.
    pub questions: usize,
    /// Traces written.
    pub traces: usize,
    /// Rows with the question of an earlier row.
    pub merged_rows: usize,
    /// Traces dropped, by reason.
    pub dropped_traces: BTreeMap<TraceDrop, usize>,
    /// Questions dropped, by reason.
    pub dropped_questions: BTreeMap<QuestionDrop, usize>,
    /// What is in the rows that were not dropped and was not read.
    pub unread: Unread,
}

impl Counts {
    /// Counts a dropped trace.
    pub(super) fn drop_trace(&mut self, reason: TraceDrop) {
        *self.dropped_traces.entry(reason).or_default() += 1;
    }

    /// Counts a dropped question.
    pub(super) fn drop_question(&mut self, reason: QuestionDrop) {
        *self.dropped_questions.entry(reason).or_default() += 1;
    }

    /// The report, as lines: kept rows, questions and traces; then dropped traces and questions, and what was not read, if any.
    pub fn lines(&self) -> Vec<String> {
        let merged = match self.merged_rows {
            0 => String::new(),
            rows => format!(" ({} merged with an earlier one)", counted(rows, "row")),
        };
        let rows = counted(self.rows, "row");
        let questions = counted(self.questions, "question");
        let kept = format!("{rows}: {questions} kept with {}{merged}", counted(self.traces, "trace"));
        std::iter::once(kept).chain(self.dropped_lines()).chain(self.unread.line()).collect()
    }

    /// The lines of the report about dropped traces and questions.
    pub(super) fn dropped_lines(&self) -> Vec<String> {
        let traces = dropped("trace", &self.dropped_traces);
        traces.into_iter().chain(dropped("question", &self.dropped_questions)).collect()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

fn dropped<R: fmt::Display>(what: &str, reasons: &BTreeMap<R, usize>) -> Option<String> {
    let listed: Vec<String> = reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let total = counted(reasons.values().sum(), what);
    (!listed.is_empty()).then(|| format!("dropped {total}: {}", listed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_by_hand() {
        let mut counts = Counts { rows: 1, questions: 1, traces: 1, ..Counts::default() };
        assert_eq!(counts.to_string(), "1 row: 1 question kept with 1 trace");
        counts = Counts { rows: 1000, questions: 980, traces: 1890, merged_rows: 20, ..counts };
        // The order of the report does not depend on that of counting.
        (0..50).for_each(|_| counts.drop_trace(TraceDrop::Twice));
        (0..60).for_each(|_| counts.drop_trace(TraceDrop::Wrong));
        counts.drop_question(QuestionDrop::NoTrace);
        counts.unread.add_columns(&["tools".to_owned()]);
        let expected = [
            "1000 rows: 980 questions kept with 1890 traces (20 rows merged with an earlier one)",
            "dropped 110 traces: 60 wrong by their grade, 50 the same text twice",
            "dropped 1 question: 1 without a usable trace",
            "not read: columns tools",
        ];
        assert_eq!(counts.lines(), expected);
        assert_eq!(counts.to_string(), expected.join("\n"));
    }
}
