//! Numbers as they are spelled, and what Python writes and JSON does not have.

use super::Folder;
use crate::*;

/// A row with this id, answer and text of the problem, each as JSON, and another column.
fn row(id: &str, answer: &str, problem: &str, other: &str) -> String {
    format!(r#"{{"id":{id},"problem":{problem},"answer":{answer},"generations":["1"],"extra":{other}}}"#)
}

#[test]
fn numbers_that_are_only_copied_keep_their_spelling() {
    for number in ["1267650600228229401496703205376", "18446744073709551617", "5.20", "-0", "1E5", "1e+400"] {
        let folder = Folder::new();
        let file = folder.text("d.jsonl", &row(number, number, r#""p""#, number));
        if number == "1e+400" {
            // Beyond f64 it is no number that anything else reads.
            let (counts, records) = folder.import(&[file], &ImportSettings::default());
            assert_eq!((records[0].id.as_str(), records[0].answer.as_deref()), ("d-1", None));
            assert_eq!(counts.lines()[1], "not read: columns answer (1 row), extra (1 row), id (1 row)");
            continue;
        }
        let (_, records) = folder.import(&[file], &ImportSettings::default());
        assert_eq!((records[0].id.as_str(), records[0].answer.as_deref()), (number, Some(number)));
    }
}

#[test]
fn what_python_writes_is_skipped_where_nothing_reads_it() {
    let folder = Folder::new();
    let other = r#"[NaN, {"a": -Infinity, "b": 1e999, "c": "\ud83d", "NaN": Infinity}]"#;
    let file = folder.text("d.jsonl", &row("1", "NaN", r#""p \ud83d\ude00 NaN""#, other));
    let (counts, records) = folder.import(&[file], &ImportSettings::default());
    assert_eq!(records[0].question.as_deref(), Some("p \u{1f600} NaN"));
    assert_eq!(records[0].answer, None);
    assert_eq!(counts.lines()[1], "not read: columns answer (1 row), extra (1 row)");
}

#[test]
fn what_python_writes_is_named_where_it_is_read() {
    let no_json = "which JSON does not have; write it as text, or null for nothing";
    let half = "half of a character; write the whole character, or leave it out";
    for (problem, found, says) in
        [("NaN", "NaN", no_json), (r#""p \ud83d""#, "\\ud83d", half), ("1e999", "1e999", no_json)]
    {
        let folder = Folder::new();
        let file = folder.text("d.jsonl", &row("1", "2", problem, "NaN"));
        let expected = format!("d.jsonl:1: column problem holds {found}, {says}");
        assert_eq!(folder.refusal(&[file], &ImportSettings::default()), expected);
    }
    let folder = Folder::new();
    let file = folder.text("d.jsonl", &row("1", "2", "nan", "1"));
    let message = folder.refusal(&[file], &ImportSettings::default());
    assert!(message.starts_with("d.jsonl:1: not valid JSON at column 20 ("), "{message}");
}

/// In a turn, such a text is neither a part other than text nor a thought that may go.
#[test]
fn half_a_character_of_a_turn_is_named() {
    for turn in [
        r#""content":"a \ud83d""#,
        r#""content":NaN"#,
        r#""content":[{"type":"text","text":"\ud83d"}]"#,
        r#""content":"a","reasoning_content":"\ud83d""#,
    ] {
        let folder = Folder::new();
        let row =
            format!(r#"{{"messages":[{{"role":"user","content":"q"}},{{"role":"assistant",{turn}}}]}}"#);
        let message = folder.refusal(&[folder.text("d.jsonl", &row)], &ImportSettings::default());
        assert!(message.starts_with("d.jsonl:1: column messages holds "), "{message}");
    }
    // A key that nobody reads does no harm.
    let folder = Folder::new();
    let row = r#"{"messages":[{"role":"user","content":"q","w":NaN},{"role":"assistant","content":"a"},{"role":"tool","content":"t"}]}"#;
    let (counts, records) = folder.import(&[folder.text("d.jsonl", row)], &ImportSettings::default());
    assert_eq!(records[0].traces[0].text, "a");
    assert_eq!(counts.lines()[1], "not read: keys of turns w (1); 1 turn behind the last reply");
}

#[test]
fn a_system_turn_that_is_null_is_missing() {
    let folder = Folder::new();
    let row = r#"{"messages":[{"role":"system","content":null},{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#;
    let (_, records) = folder.import(&[folder.text("d.jsonl", row)], &ImportSettings::default());
    assert_eq!(records[0].question.as_deref(), Some("q"));
}
