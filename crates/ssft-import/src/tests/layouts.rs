//! Each layout by hand.

use super::parquet_rows::write;
use super::*;
use parquet::basic::{Compression, ZstdLevel};
use serde_json::json;
use ssft_data::record::Message;

/// Imports `rows` as JSONL and as Parquet, with every compression and small row groups, and checks that all results are
/// equal, apart from the number of rows of columns that no layout reads. The layout is detected.
pub(super) fn both(rows: &[Value], layout: Layout) -> (Counts, Vec<Record>) {
    let folder = Folder::new();
    let file = folder.jsonl("d.jsonl", rows);
    assert_eq!(Input::open(&file, None, 1 << 20).unwrap().layout, layout);
    let expected = folder.import(&[file], &ImportSettings::default());
    let codecs = [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::ZSTD(ZstdLevel::default())];
    for (group, codec) in [1, 2, 100].into_iter().zip(codecs) {
        let file = folder.path("d.parquet");
        write(&file, rows, group, codec);
        assert_eq!(Input::open(&file, None, 1 << 20).unwrap().layout, layout);
        let (mut counts, records) = folder.import(&[file], &ImportSettings::default());
        counts.unread.columns.clone_from(&expected.0.unread.columns);
        assert_eq!((counts, records), expected, "{codec:?}");
    }
    expected
}

fn lines(counts: &Counts) -> Vec<String> {
    counts.lines()
}

#[test]
fn s1k_with_teachers() {
    let row = |question: &str, solution: &str, gemini: [&str; 2], deepseek: [&str; 2]| {
        json!({
            "solution": solution, "question": question, "cot_type": "math", "source_type": "aime", "metadata": "{}",
            "gemini_thinking_trajectory": gemini[0], "gemini_attempt": "42", "gemini_grade": gemini[1],
            "gemini_grade_reason": "because", "deepseek_thinking_trajectory": deepseek[0],
            "deepseek_attempt": "It is 42.", "deepseek_grade": deepseek[1],
        })
    };
    let mut bare = row("6*9?", "54", ["", "No"], ["Six by nine.", ""]);
    bare["gemini_attempt"] = json!("");
    bare["deepseek_attempt"] = json!(null);
    bare["deepseek_grade"] = json!(null);
    let rows = [
        row("6*7?", r"So \boxed{42}.", ["Six sevens.\n", "Yes"], [" Think.", "Yes"]),
        row("5*9?", "first\nthen", ["Five.", "No"], ["Nine.", " yes "]),
        bare,
    ];
    let (counts, records) = both(&rows, Layout::S1k);
    assert_eq!(traces(&records[0]), ["gemini: Six sevens.\n\n42", "deepseek: Think.\n\nIt is 42."]);
    assert_eq!(traces(&records[1]), ["deepseek: Nine.\n\nIt is 42."]);
    assert_eq!(traces(&records[2]), ["deepseek: Six by nine."]);
    let answers: Vec<_> = records.iter().map(|record| record.answer.as_deref()).collect();
    assert_eq!(answers, [Some("42"), None, Some("54")]);
    let ids: Vec<_> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids, ["d-1", "d-2", "d-3"]);
    assert_eq!(records[0].question.as_deref(), Some("6*7?"));
    assert_eq!(
        lines(&counts),
        [
            "3 rows: 3 questions kept with 4 traces",
            "dropped 2 traces: 1 empty, 1 wrong by their grade",
            "not read: columns cot_type (3 rows), gemini_grade_reason (3 rows), metadata (3 rows), source_type (3 rows), \
             solution (1 row)",
        ]
    );
}

#[test]
fn s1k_with_a_list() {
    let rows = [
        json!({"question": "a", "thinking_trajectories": ["one", "two"], "attempt": "end", "solution": null}),
        json!({"question": "b", "thinking_trajectories": [], "attempt": "end", "solution": "x"}),
        json!({"question": "c", "thinking_trajectories": [null, "only"], "attempt": null, "solution": "y"}),
    ];
    let (counts, records) = both(&rows, Layout::S1k);
    assert_eq!(traces(&records[0]), ["trajectory-1: one\n\nend", "trajectory-2: two\n\nend"]);
    assert_eq!(records[0].answer, None);
    assert_eq!(traces(&records[1]), ["trajectory-2: only"]);
    assert_eq!(
        lines(&counts),
        [
            "3 rows: 2 questions kept with 3 traces",
            "dropped 1 trace: 1 empty",
            "dropped 1 question: 1 without a usable trace",
        ]
    );
}

/// A row of OpenR1 with three generations; `llama` and `complete` may be null.
fn openr1(problem: &str, verify: Value, llama: Value, complete: Value) -> Value {
    json!({
        "problem": problem, "solution": "long", "answer": "7", "uuid": format!("u-{problem}"), "source": "olympiads",
        "generations": ["<think>\nA", "B ", "C"], "correctness_math_verify": verify, "correctness_llama": llama,
        "is_reasoning_complete": complete, "finish_reasons": ["stop", null, "length"],
        "messages": [{"role": "user", "content": "copy"}, {"role": "assistant", "content": "copy"}],
    })
}

#[test]
fn openr1_keeps_what_either_check_finds_right() {
    let all = json!([true, true, true]);
    let rows = [
        openr1("either", json!([true, false, false]), json!([false, true, null]), all.clone()),
        openr1("incomplete", all.clone(), json!(null), json!([false, true, null])),
        openr1("unchecked", json!(null), json!(null), json!(null)),
        openr1("unequal", json!([true, true]), json!(null), all.clone()),
        openr1("wrong", json!([false, null, false]), json!([null, null, false]), all),
    ];
    let (counts, records) = both(&rows, Layout::OpenR1);
    let found: Vec<_> = records.iter().map(|record| (record.id.as_str(), traces(record))).collect();
    let one = "generation-1: <think>\nA".to_owned();
    let [two, three] = ["generation-2: B".to_owned(), "generation-3: C".to_owned()];
    assert_eq!(
        found,
        [
            ("u-either", vec![one.clone(), two.clone()]),
            ("u-incomplete", vec![two.clone(), three.clone()]),
            ("u-unchecked", vec![one, two.clone(), three]),
            ("u-wrong", vec![two]),
        ]
    );
    assert!(records.iter().all(|record| record.answer.as_deref() == Some("7")));
    assert_eq!(
        lines(&counts),
        [
            "5 rows: 4 questions kept with 8 traces",
            "dropped 7 traces: 3 in rows whose lists differ in length, 1 not complete, 3 wrong by their grade",
            "dropped 1 question: 1 without a usable trace",
            "not read: columns finish_reasons (5 rows), messages (5 rows), solution (5 rows), source (5 rows)",
        ]
    );
}

#[test]
fn openr1_without_verdicts() {
    let rows = [json!({"problem": "p", "answer": "", "generations": ["A", ""]})];
    let (counts, records) = both(&rows, Layout::OpenR1);
    assert_eq!(traces(&records[0]), ["generation-1: A"]);
    assert_eq!((records[0].id.as_str(), records[0].answer.as_deref()), ("d-1", None));
    assert_eq!(lines(&counts)[1], "dropped 1 trace: 1 empty");
}

#[test]
fn openthoughts_chats() {
    let row = |question: &str, reply: &str| {
        json!({
            "system": "Think.",
            "conversations": [{"from": "user", "value": question}, {"from": "assistant", "value": reply}],
        })
    };
    let rows = [row("a", "1"), row("b", "2"), row("a", " 3\n"), row("a", "1 ")];
    let (counts, records) = both(&rows, Layout::OpenThoughts);
    // `b` is complete first.
    assert_eq!(records[0].messages, Some(vec![Message::new("system", "Think."), Message::new("user", "b")]));
    assert_eq!(records[1].messages, Some(vec![Message::new("system", "Think."), Message::new("user", "a")]));
    assert_eq!(traces(&records[1]), ["trace-1: 1", "trace-2: 3"]);
    assert_eq!((records[0].id.as_str(), records[1].id.as_str()), ("d-2", "d-1"));
    assert_eq!(
        lines(&counts),
        [
            "4 rows: 2 questions kept with 3 traces (2 rows merged with an earlier one)",
            "dropped 1 trace: 1 the same text twice",
        ]
    );
}

#[test]
fn openthoughts_metadata() {
    let row = |problem: &str, reasoning: &str| {
        json!({
            "problem": problem, "deepseek_reasoning": reasoning, "deepseek_solution": "S",
            "ground_truth_solution": r"\boxed{5}", "domain": "math", "source": "x", "test_cases": null,
        })
    };
    let (_, records) = both(&[row("p", "R"), row("q", "")], Layout::OpenThoughts);
    assert_eq!(traces(&records[0]), ["deepseek: R\n\nS"]);
    assert_eq!(traces(&records[1]), ["deepseek: S"]);
    assert_eq!(records[0].answer.as_deref(), Some("5"));
}

#[test]
fn chats() {
    let chat = |id: Value, turns: &[[&str; 2]]| {
        let turn = |[role, content]: &[&str; 2]| json!({"role": role, "content": content});
        json!({"id": id, "messages": turns.iter().map(turn).collect::<Vec<_>>()})
    };
    let rows = [
        chat(json!(7), &[["user", "a"], ["assistant", "1"]]),
        chat(
            json!(7),
            &[["system", "S"], ["human", "b"], ["gpt", "2"], ["user", "c"], ["gpt", "3"], ["user", "d"]],
        ),
        chat(json!(null), &[["user", "a"], ["assistant", "4"]]),
        chat(json!(8), &[["user", "a"], ["tool", "4"], ["assistant", "4"]]),
        chat(json!(9), &[["user", "a"]]),
        chat(json!(10), &[["system", "S"], ["assistant", "4"]]),
        chat(json!(11), &[]),
    ];
    let (counts, records) = both(&rows, Layout::Chat);
    assert_eq!(records.len(), 2);
    let turns: Vec<_> = records[0].messages.iter().flatten().collect();
    let turns: Vec<_> = turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).collect();
    assert_eq!(turns, [("system", "S"), ("user", "b"), ("assistant", "2"), ("user", "c")]);
    assert_eq!(traces(&records[0]), ["trace-1: 3"]);
    assert_eq!(records[1].question.as_deref(), Some("a"));
    assert_eq!(traces(&records[1]), ["trace-1: 1", "trace-2: 4"]);
    // The id 7 went to the question that was complete first.
    assert_eq!((records[0].id.as_str(), records[1].id.as_str()), ("7", "d-1"));
    assert_eq!(
        lines(&counts),
        [
            "7 rows: 2 questions kept with 3 traces (1 row merged with an earlier one)",
            "dropped 4 questions: 1 that ask nothing, 2 without a reply, \
             1 with a role other than system, user and assistant",
            "not read: 1 turn behind the last reply; 1 id that an earlier question has",
        ]
    );
}

/// In a table with both kinds of chats the columns of the other kind are null.
#[test]
fn what_holds_nothing_hides_nothing() {
    let rows = [
        json!({"id": "a", "messages": null, "conversations": [{"from": "human", "value": "1?", "role": null, "content": null}, {"from": "gpt", "value": "1", "role": null, "content": null}]}),
        json!({"id": "b", "messages": [{"role": "user", "content": "2?", "from": null, "value": null}, {"role": "assistant", "content": "2", "from": null, "value": null}], "conversations": null}),
    ];
    let (counts, records) = both(&rows, Layout::Chat);
    assert_eq!(lines(&counts), ["2 rows: 2 questions kept with 2 traces"]);
    let asked: Vec<_> = records.iter().map(|record| record.question.as_deref().unwrap()).collect();
    assert_eq!(asked, ["1?", "2?"]);
    // A row of neither kind is unusable, not of another layout.
    let nothing = [rows[0].clone(), json!({"id": "c", "messages": null, "conversations": null})];
    assert_eq!(lines(&both(&nothing, Layout::Chat).0)[1], "dropped 1 question: 1 without a reply");
}

#[test]
fn what_holds_nothing_hides_nothing_in_any_layout() {
    let first = |row: Value, layout| {
        let (_, records) = both(&[row], layout);
        (records[0].id.clone(), traces(&records[0]))
    };
    let row = json!({"id": null, "uuid": "u", "question": "p", "thinking_trajectories": null, "attempt": null, "a_thinking_trajectory": "A"});
    assert_eq!(first(row, Layout::S1k), ("u".to_owned(), vec!["a: A".to_owned()]));
    let row = json!({"uuid": "u", "problem": "p", "generations": ["A", "B", "C"], "correctness_math_verify": null, "correctness_llama": [false, true, null], "is_reasoning_complete": null});
    let kept = ["generation-2: B", "generation-3: C"].map(str::to_owned);
    assert_eq!(first(row, Layout::OpenR1), ("u".to_owned(), kept.to_vec()));
    let row = json!({"id": null, "uuid": "u", "system": null, "conversations": null, "problem": "p", "deepseek_reasoning": "A", "deepseek_solution": null});
    assert_eq!(first(row, Layout::OpenThoughts), ("u".to_owned(), vec!["deepseek: A".to_owned()]));
    // A null chat in a file of chats is dropped with both layouts.
    let chat = json!({"system": "S", "conversations": [{"from": "user", "value": "p"}, {"from": "assistant", "value": "A"}]});
    let (counts, _) = both(&[chat, json!({"system": "S", "conversations": null})], Layout::OpenThoughts);
    assert_eq!(lines(&counts)[1], "dropped 1 question: 1 without a reply");
}

#[test]
fn s1k_with_grades_of_true_and_false() {
    let row = |question: &str, grade: Value| json!({"question": question, "solution": "1", "a_thinking_trajectory": "t", "a_attempt": question, "a_grade": grade});
    let (counts, _) =
        both(&[row("p", json!(true)), row("q", json!(false)), row("r", json!(null))], Layout::S1k);
    let expected = [
        "3 rows: 2 questions kept with 2 traces",
        "dropped 1 trace: 1 wrong by their grade",
        "dropped 1 question: 1 without a usable trace",
    ];
    assert_eq!(lines(&counts), expected);
    assert_eq!(both(&[row("p", json!(1)), row("q", json!(0))], Layout::S1k).0.traces, 1);
}

#[test]
fn chats_of_from_and_value() {
    let rows = [
        json!({"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "1"}], "uuid": "x"}),
        json!({"conversations": [{"from": "human", "value": null}, {"from": "gpt", "value": "1"}], "uuid": "y"}),
    ];
    let (counts, records) = both(&rows, Layout::Chat);
    assert_eq!((records[0].id.as_str(), records[0].question.as_deref()), ("x", Some("a")));
    assert_eq!(lines(&counts)[1], "dropped 1 question: 1 that ask nothing");
}

#[test]
fn layouts_are_named_and_detected() {
    assert_eq!(Layout::all().map(Layout::name), ["s1k", "openr1", "openthoughts", "chat"]);
    let detect = |columns: &str| {
        Layout::detect(&columns.split(' ').map(str::to_owned).collect::<Vec<_>>()).map(Layout::name)
    };
    assert_eq!(detect("question x_thinking_trajectory"), Some("s1k"));
    assert_eq!(detect("question _thinking_trajectory"), None);
    assert_eq!(detect("difficulty source domain conversations"), Some("chat"));
    assert_eq!(detect("messages problem generations"), Some("openr1"));
    assert_eq!(detect("question answer"), None);
}
