//! Tests of the layout `chat`: thoughts, calls of tools, content parts and unread keys, for example `tool_calls`.

use super::layouts::both;
use super::*;
use serde_json::json;
use ssft_data::encode::Encoder;
use ssft_data::forks::ForkLead;
use ssft_data::template::{CHATML, Template, TemplateTokens, ThoughtForm};
use ssft_data::tokenizer::Tokenizer;

fn user(text: &str) -> Value {
    json!({"role": "user", "content": text})
}

fn assistant(text: &str) -> Value {
    json!({"role": "assistant", "content": text})
}

/// `turn` with another key.
fn with(mut turn: Value, key: &str, value: Value) -> Value {
    turn[key] = value;
    turn
}

/// A row with these turns.
fn chat(turns: impl Into<Vec<Value>>) -> Value {
    json!({"messages": turns.into()})
}

/// The report on rows of one file, and the records.
fn import(rows: &[Value]) -> (Vec<String>, Vec<Record>) {
    let folder = Folder::new();
    let file = folder.jsonl("d.jsonl", rows);
    let (counts, records) = folder.import(&[file], &ImportSettings::default());
    (counts.lines(), records)
}

/// The report on a good row and `row`, without its first line.
fn report(row: Value) -> Vec<String> {
    import(&[chat([user("good"), assistant("1")]), row]).0.split_off(1)
}

#[test]
fn thoughts_of_the_last_reply_are_a_part_of_the_trace() {
    for key in ["reasoning_content", "reasoning", "thinking"] {
        let reply = with(assistant(" 47\n"), key, json!("2+5=7, 1+3=4, so 47\n"));
        let (counts, records) = both(&[chat([with(user("12+35?"), key, json!(null)), reply])], Layout::Chat);
        assert_eq!(traces(&records[0]), ["trace-1: 2+5=7, 1+3=4, so 47\n\n47"], "{key}");
        assert_eq!(counts.lines().len(), 1, "{key}");
    }
    let silent = with(with(assistant(""), "content", json!(null)), "thinking", json!(["only ", "thought"]));
    assert_eq!(traces(&import(&[chat([user("q"), silent])]).1[0]), ["trace-1: only thought"]);
    // Two keys with the same thought count once. A different thought, or a value that is no text, is listed as unread.
    let twice = with(with(assistant("a"), "reasoning", json!("t")), "reasoning_content", json!("t "));
    let (lines, records) = import(&[chat([user("q"), with(twice, "thinking", json!("u"))])]);
    assert_eq!(traces(&records[0]), ["trace-1: t\n\na"]);
    assert_eq!(lines[1], "not read: keys of turns thinking (1)");
    let effort = with(assistant("a"), "reasoning", json!({"effort": "high"}));
    assert_eq!(report(chat([user("q"), effort])), ["not read: keys of turns reasoning (1)"]);
}

#[test]
fn thoughts_in_the_form_of_a_template() {
    let template = "{% for m in messages %}[{{ m.role }}]{% if m.reasoning_content %}<t>{{ m.reasoning_content }}</t>\n{% endif %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}";
    let form = ThoughtForm::of(&Template::new(template).unwrap(), TemplateTokens::default());
    let settings = ImportSettings { thoughts: form.unwrap(), ..ImportSettings::default() };
    let folder = Folder::new();
    let reply = with(assistant("47"), "thinking", json!("2+5=7"));
    let chats = folder.jsonl("a.jsonl", &[chat([user("a"), reply]), chat([user("b"), assistant("47")])]);
    let row = json!({"question": "c", "solution": "9", "x_thinking_trajectory": "T", "x_attempt": "A"});
    let other = folder.jsonl("b.jsonl", &[row]);
    let (_, records) = folder.import(&[chats, other], &settings);
    let found: Vec<_> = records.iter().flat_map(traces).collect();
    assert_eq!(found, ["trace-1: <t>2+5=7</t>\n47", "trace-1: 47", "x: <t>T</t>\nA"]);
}

#[test]
fn thoughts_of_earlier_turns_stay_with_them() {
    let turns = |thought: &str| {
        let first = with(assistant("2"), "reasoning", json!(thought));
        chat([with(user("1+1?"), "reasoning", json!(null)), first, user("sure?"), assistant("yes")])
    };
    let (counts, records) = both(&[turns("one and one"), turns("two"), turns("one and one")], Layout::Chat);
    let thoughts = |record: &Record| record.messages.as_ref().unwrap()[1].reasoning_content.clone();
    // Prompts with different thoughts are different prompts.
    assert_eq!(
        records.iter().map(thoughts).collect::<Vec<_>>(),
        [Some("two".into()), Some("one and one".into())]
    );
    assert_eq!(
        counts.lines()[0],
        "3 rows: 2 questions kept with 2 traces (1 row merged with an earlier one)"
    );
    // A thought of the user is none of the assistant's.
    let asked = with(user("q"), "thinking", json!("hm"));
    assert_eq!(report(chat([asked, assistant("a")])), ["not read: keys of turns thinking (1)"]);
}

#[test]
fn chats_that_cannot_be_learned_are_dropped_by_reason() {
    let calls = json!([{"type": "function", "function": {"name": "add", "arguments": "{}"}}]);
    let image = json!([{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "x"}}]);
    let no_content = |turn: Value| with(turn, "content", json!(null));
    let call = with(no_content(assistant("")), "tool_calls", calls);
    let function = with(assistant("a"), "function_call", json!({"name": "add", "arguments": "{}"}));
    for (turns, reason) in [
        (vec![user("q"), call.clone()], "with calls of tools"),
        (vec![user("q"), call.clone(), user("r"), assistant("a")], "with calls of tools"),
        (vec![user("q"), function], "with calls of tools"),
        (vec![with(user(""), "content", image.clone()), assistant("a")], "with parts other than text"),
        (vec![user("q"), with(assistant(""), "content", image)], "with parts other than text"),
        (vec![user("q"), with(assistant(""), "content", json!([7]))], "with parts other than text"),
        (
            vec![user("q"), with(assistant(""), "content", json!({"parts": ["a"]}))],
            "with parts other than text",
        ),
        (vec![user("q"), assistant(" "), user("r"), assistant("a")], "with an empty turn"),
        (vec![user("q"), no_content(assistant("")), user("r"), assistant("a")], "with an empty turn"),
        (
            vec![user("q"), assistant("a"), with(user(""), "content", json!([])), assistant("b")],
            "with an empty turn",
        ),
        (vec![user("q"), assistant("a"), assistant("b")], "with two replies at the end"),
        (vec![user("\n"), assistant("a")], "that ask nothing"),
        (vec![user("q"), no_content(assistant(""))], "without a usable trace"),
    ] {
        let lines = report(chat(turns.clone()));
        assert_eq!(lines.last(), Some(&format!("dropped 1 question: 1 {reason}")), "{turns:?}");
    }
    // Empty calls are none, and calls behind the last reply are not learned.
    let none = with(with(assistant("a"), "tool_calls", json!([])), "function_call", json!({"name": null}));
    assert!(report(chat([user("q"), none])).is_empty());
    let behind = chat([user("q"), assistant("a"), with(user("r"), "tool_calls", json!([1]))]);
    assert_eq!(report(behind), ["not read: 1 turn behind the last reply"]);
}

#[test]
fn parts_of_a_text_are_joined() {
    let part = |text: &str| json!({"type": "text", "text": text});
    let asked = with(user(""), "content", json!([part("12"), part("+35?")]));
    let (_, records) =
        both(&[chat([asked, with(assistant(""), "content", json!([part(" 4"), part("7 ")]))])], Layout::Chat);
    assert_eq!(
        (records[0].question.as_deref(), traces(&records[0])),
        (Some("12+35?"), vec!["trace-1: 47".to_owned()])
    );
    let parts = json!(["1", null, {"text": "2", "cache": {"a": 1}}, {"type": "output_text", "text": "3", "note": []}]);
    let (lines, records) = import(&[chat([with(user(""), "content", parts), assistant("a")])]);
    assert_eq!(records[0].question.as_deref(), Some("123"));
    let (_, records) = import(&[chat([user("q"), with(assistant(""), "content", part("a"))])]);
    assert_eq!(traces(&records[0]), ["trace-1: a"]);
    assert_eq!(lines[1], "not read: keys of turns content.cache (1)");
}

#[test]
fn what_is_not_read_is_told() {
    let turn = with(with(assistant("a"), "weight", json!(0)), "name", json!(" "));
    let rows = [
        with(with(chat([user("p"), turn]), "tools", json!([{"type": "function"}])), "source", json!(null)),
        with(
            with(chat([user("q"), assistant("b"), user("r"), user("s")]), "tools", json!([])),
            "lang",
            json!("en"),
        ),
        // Both names of a turn's text, and both columns of turns.
        with(
            chat([with(user("t"), "value", json!("u")), with(assistant("c"), "value", json!("c"))]),
            "conversations",
            json!([{"from": "human", "value": "v"}]),
        ),
        // The report counts the dropped row and its reason.
        with(chat([user("w")]), "tools", json!([1])),
    ];
    let (lines, _) = import(&rows);
    assert_eq!(
        lines[2],
        "not read: columns conversations (1 row), lang (1 row), tools (1 row); keys of turns value (1), weight (1); \
         2 turns behind the last reply"
    );
    // Columns that the parser can skip but not read.
    let folder = Folder::new();
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for value in [deep.as_str(), r#""\ud800""#] {
        let row = chat([user("p"), assistant("a")]).to_string();
        let file = folder.text("d.jsonl", &row.replacen('{', &format!(r#"{{"k":{value},"#), 1));
        let lines = folder.import(&[file], &ImportSettings::default()).0.lines();
        assert_eq!(lines[1], "not read: columns k (1 row)");
    }
    // In Parquet files such columns are not decoded.
    let file = folder.path("d.parquet");
    super::parquet_rows::write(
        &file,
        &[with(with(chat([user("p"), assistant("a")]), "b", json!("x")), "a", json!(null))],
        1,
        parquet::basic::Compression::SNAPPY,
    );
    assert_eq!(folder.import(&[file], &ImportSettings::default()).0.lines()[1], "not read: columns a, b");
}

#[test]
fn a_system_column_beside_a_system_turn_is_told() {
    let row = |column: &str, turn: &str| {
        let turns = [json!({"role": "system", "content": turn}), user("q"), assistant("a")];
        with(chat(turns), "system", json!(column))
    };
    assert_eq!(report(row("S", "T")), ["not read: columns system (1 row)"]);
    assert_eq!(report(row("S", "")), ["not read: columns system (1 row)"]);
    assert!(report(row("S ", "S")).is_empty() && report(row("", "S")).is_empty());
    // A system turn behind the last reply is not the prompt's.
    let behind = chat([user("q"), assistant("a"), json!({"role": "system", "content": "T"})]);
    let (lines, records) = import(&[with(behind, "system", json!("S"))]);
    assert_eq!(records[0].messages.as_ref().unwrap()[0].content, "S");
    assert_eq!(lines[1], "not read: 1 turn behind the last reply");
}

#[test]
fn columns_that_no_record_gets_anything_of_are_told_in_every_layout() {
    let last = |rows: &[Value]| import(rows).0.pop().unwrap();
    let long = "long\nwithout a box";
    let row = json!({"id": "a", "uuid": "u", "question": "q", "solution": long, "x_thinking_trajectory": "T", "x_attempt": "A", "y_attempt": "B", "y_grade": "Yes", "attempt": "C", "cot_type": "math"});
    assert_eq!(
        last(&[row]),
        "not read: columns attempt (1 row), cot_type (1 row), solution (1 row), uuid (1 row), y_attempt (1 row), y_grade (1 row)"
    );
    let row = json!({"problem": "p", "deepseek_reasoning": "R", "deepseek_solution": "S", "ground_truth_solution": long, "system": "Y"});
    assert_eq!(last(&[row]), "not read: columns ground_truth_solution (1 row), system (1 row)");
    let turns = json!([{"from": "user", "value": "p"}, {"from": "assistant", "value": "A"}]);
    let row = json!({"problem": "p", "deepseek_reasoning": "R", "deepseek_solution": "S", "system": "Y", "conversations": turns});
    assert_eq!(
        last(&[row]),
        "not read: columns deepseek_reasoning (1 row), deepseek_solution (1 row), problem (1 row)"
    );
    // Answers that are no word, or differ from that of an earlier row; ids that are taken.
    let row = |id: Value, problem: &str, answer: &str| {
        let row = format!(r#"{{"id":{id},"problem":"{problem}","generations":["{id}"],"answer":{answer}}}"#);
        serde_json::from_str::<Value>(&row).unwrap()
    };
    assert_eq!(
        last(&[row(json!(1), "p", "[1]"), row(json!(2), "q", "{}")]),
        "not read: columns answer (1 row)"
    );
    let rows =
        [row(json!(1), "p", "1"), row(json!(2), "p", "2"), row(json!(3), "p", "1"), row(json!(1), "q", "1")];
    assert_eq!(
        last(&rows),
        "not read: 1 answer unlike that of an earlier row; 1 id that an earlier question has"
    );
}

/// Imported records pass `data check`, also those from rows with odd turns.
#[test]
fn records_of_awkward_chats_are_accepted() {
    let texts = ["", " ", "q", "\u{0}\u{2028}", "<|im_end|>"];
    let mut rows = Vec::new();
    for (at, roles) in ["sua", "usa", "uaua", "aua", "uaa", "sa", "us", "uuua", "ssuasa"].iter().enumerate() {
        for shift in 0..texts.len() {
            let turn = |(index, role): (usize, char)| {
                let role = match role {
                    's' => "system",
                    'u' => "user",
                    _ => "assistant",
                };
                let text = texts[(index * (at + 1) + shift) % texts.len()];
                json!({"role": role, "content": text, "reasoning": texts[(index + shift) % texts.len()]})
            };
            rows.push(chat(roles.chars().enumerate().map(turn).collect::<Vec<_>>()));
        }
    }
    // `Folder::import` reads the output as `data check` does.
    let (_, records) = import(&rows);
    assert!(records.len() > 5, "{}", records.len());
    let encoder =
        Encoder::new(Tokenizer::bytes(2).unwrap(), Template::new(CHATML).unwrap(), &ForkLead::chat(), 512);
    encoder.unwrap().encode_all(&records).unwrap();
}
