//! Grouping of rows into records, and the number of questions in memory.

use super::*;
use crate::questions::Uncounted;
use crate::reading::{Candidate, Prompt, Reading};
use serde_json::json;

fn chat(question: &str, reply: &str) -> Value {
    json!({"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": reply}]})
}

fn numbered(questions: impl IntoIterator<Item = usize>) -> Vec<Value> {
    questions
        .into_iter()
        .enumerate()
        .map(|(at, question)| chat(&format!("q{question}"), &format!("t{at}")))
        .collect()
}

#[test]
fn traces_beyond_the_limit_and_questions_below_it() {
    let folder = Folder::new();
    let rows = ["a", "b", "a", "a", "a", "c", "c"].into_iter().zip(["1", "1", "2", "1", "3", "1", "1"]);
    let file =
        folder.jsonl("d.jsonl", &rows.map(|(question, reply)| chat(question, reply)).collect::<Vec<_>>());
    let settings = ImportSettings { max_traces: Some(2), min_traces: 2, ..ImportSettings::default() };
    let (counts, records) = folder.import(slice::from_ref(&file), &settings);
    assert_eq!(records.len(), 1);
    assert_eq!(traces(&records[0]), ["trace-1: 1", "trace-2: 2"]);
    assert_eq!(
        counts.lines(),
        [
            "7 rows: 1 question kept with 2 traces (4 rows merged with an earlier one)",
            "dropped 5 traces: 2 the same text twice, 1 beyond `traces`, 2 of questions with too few",
            "dropped 2 questions: 2 with fewer traces than `min-traces`",
        ]
    );
    let settings = ImportSettings { min_traces: 4, ..settings };
    assert_eq!(
        folder.refusal(&[file], &settings),
        "no question is left of 7 rows (dropped 7 traces: 2 the same text twice, 1 beyond `traces`, 4 of questions \
         with too few; dropped 3 questions: 3 with fewer traces than `min-traces`); \
         import other files, or ask for less with `min-traces`"
    );
}

#[test]
fn the_order_of_the_rows_changes_memory_but_not_records() {
    let folder = Folder::new();
    let sorted = numbered((0..30).map(|at| at / 3));
    let mixed: Vec<Value> = (0..30).map(|at| sorted[at % 3 + 3 * ((at / 3 + at % 3) % 10)].clone()).collect();
    let import = |rows: &[Value]| {
        let (counts, records) = folder.import(&[folder.jsonl("d.jsonl", rows)], &ImportSettings::default());
        let known = |record: &Record| {
            let mut texts: Vec<_> = record.traces.iter().map(|trace| trace.text.clone()).collect();
            texts.sort();
            (record.question.clone(), texts)
        };
        let mut known: Vec<_> = records.iter().map(known).collect();
        known.sort();
        (counts, known)
    };
    assert_eq!(import(&sorted), import(&mixed));
    // Twice the same rows, the same file.
    let bytes = || {
        folder.import(&[folder.jsonl("d.jsonl", &mixed)], &ImportSettings::default());
        fs::read(folder.path("out.jsonl")).unwrap()
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn what_is_written_can_be_read() {
    let folder = Folder::new();
    // Each line of the input fits, the three together do not; control characters grow sixfold.
    let rows: Vec<Value> =
        ["1", "2", "3"].map(|end| chat("q", &format!("{}{end}", "\u{1}".repeat(20)))).into();
    let file = folder.jsonl("d.jsonl", &rows);
    let most = |line_bytes| {
        let limits = Limits { line_bytes, ..Limits::default() };
        let settings = ImportSettings { limits, ..ImportSettings::default() };
        let counts = folder.import(slice::from_ref(&file), &settings).0;
        let longest = fs::read_to_string(folder.path("out.jsonl")).unwrap().trim_end().len();
        assert!(longest <= line_bytes, "{longest} of {line_bytes}");
        (counts.traces, counts.lines().get(1).cloned())
    };
    let dropped = |traces: &str| Some(format!("dropped {traces} beyond the longest line that can be read"));
    assert_eq!(most(700), (3, None));
    assert_eq!(most(400), (2, dropped("1 trace: 1")));
    assert_eq!(most(300), (1, dropped("2 traces: 2")));
}

fn reading(question: usize, text: &str) -> Reading {
    let prompt = Prompt::Question(question.to_string());
    Reading::new(prompt, vec![Candidate::new(None, "", text, Ok(()))])
}

fn id() -> RowId {
    RowId { own: None, made: "f".to_owned() }
}

/// The largest number of questions in memory while `rows` are added.
fn most_held(rows: &[usize]) -> usize {
    let settings = ImportSettings::default();
    let mut questions = Questions::new(&settings);
    rows.iter().for_each(|&question| questions.expect(&reading(question, "").prompt));
    let held = rows.iter().map(|&question| {
        questions.take(id(), reading(question, "t")).unwrap();
        questions.held()
    });
    let most = held.max().unwrap();
    assert!(questions.is_done());
    most
}

#[test]
fn only_unfinished_questions_are_held() {
    assert_eq!(most_held(&[0, 1, 2, 3, 4, 5]), 0);
    assert_eq!(most_held(&[0, 0, 1, 1, 2, 2]), 1);
    assert_eq!(most_held(&[0, 1, 2, 0, 1, 2]), 3);
}

#[test]
fn rows_that_were_not_counted_are_noticed() {
    let settings = ImportSettings::default();
    let mut questions = Questions::new(&settings);
    questions.expect(&reading(1, "").prompt);
    assert_eq!(questions.take(id(), reading(2, "t")), Err(Uncounted));
    assert!(!questions.is_done());
    assert!(questions.take(id(), reading(1, "t")).unwrap().is_some());
    assert_eq!(questions.take(id(), reading(1, "t")), Err(Uncounted));
}

#[test]
fn files_that_change_between_the_passes() {
    for (changed, what) in [(vec![chat("a", "1")], "shorter"), (vec![chat("c", "1"); 3], "other")] {
        let folder = Folder::new();
        let file = folder.jsonl("d.jsonl", &[chat("a", "1"), chat("b", "2")]);
        let mut change = |progress: Progress| {
            if progress == (Progress { rows: 2, total: None }) {
                folder.jsonl("d.jsonl", &changed);
            }
        };
        let error = import(&[file], &folder.path("out.jsonl"), &ImportSettings::default(), &mut change);
        let error = error.unwrap_err().to_string();
        let end = "d.jsonl: changed while it was read; import it again when nothing writes to it";
        assert!(error.ends_with(end), "{what}: {error}");
        assert!(!folder.path("out.jsonl").exists());
    }
}

#[test]
fn several_files_are_one_set() {
    let folder = Folder::new();
    let first = folder.jsonl("a.jsonl", &[chat("q", "1"), chat("r", "2")]);
    let row = json!({"question": "q", "thinking_trajectories": ["3"], "attempt": "", "solution": "9"});
    let second = folder.jsonl("b.json", &[row]);
    fs::create_dir(folder.path("sub")).unwrap();
    let third = folder.jsonl("sub/a.jsonl", &[chat("s", "1"), chat("t", "2")]);
    let mut seen = Vec::new();
    let inputs = [first, second, third];
    let settings = ImportSettings::default();
    let counts = import(&inputs, &folder.path("out.jsonl"), &settings, &mut |progress| seen.push(progress));
    assert_eq!(
        counts.unwrap().lines(),
        ["5 rows: 4 questions kept with 5 traces (1 row merged with an earlier one)"]
    );
    let expected =
        [None, Some(5)].into_iter().flat_map(|total| (1..=5).map(move |rows| Progress { rows, total }));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    let records = read_records(&folder.path("out.jsonl"), &Limits::default()).unwrap();
    let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
    // `r` was complete first; `sub/a.jsonl` makes the ids of `a.jsonl` again.
    assert_eq!(ids, ["a-2", "a-1", "a-1-2", "a-2-2"]);
    assert_eq!(traces(&records[1]), ["trace-1: 1", "trajectory-1: 3"]);
    assert_eq!(records[1].answer.as_deref(), Some("9"));
}
