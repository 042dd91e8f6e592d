//! Tests of imported data: from a dataset through the checks to a run.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{Home, IN_PARTS, WITH_FORKS, fixture, names, train, wait_until};
use serde_json::{Value, json};
use std::fs;

#[test]
fn a_dataset_becomes_questions_to_train_on() {
    let home = Home::new();
    let row = |n: usize| {
        let generations =
            [format!("It is \\boxed{{{n}}}."), format!("Thus \\boxed{{{n}}}."), "So \\boxed{0}.".into()];
        json!({"uuid": format!("u{n}"), "problem": format!("What is {n}+0?"), "answer": n.to_string(),
            "generations": generations, "correctness_math_verify": [true, true, false], "is_reasoning_complete": [true, true, true]})
    };
    home.write("rows.jsonl", (1..=20).map(|n| row(n).to_string() + "\n").collect::<String>());
    let done = home.run("data import rows.jsonl --out data.jsonl").succeeded();
    assert_eq!(
        done.stdout,
        "data.jsonl: 20 rows: 20 questions kept with 40 traces\ndropped 20 traces: 20 wrong by their grade\n"
    );
    home.run("data check data.jsonl --context 2048").succeeded();
    fixture(&home, IN_PARTS);
    let other = home.run("data check data.jsonl --model model --forks 2 --template chatml");
    assert!(other.refusal().contains("the tokenizer has no <|im_start|>"), "{other:#?}");
    home.run("data check data.jsonl --model model --forks 2").succeeded();
    let run = home.run(&train("--steps 1 --answers boxed --forks 2 --out run")).succeeded();
    assert!(run.stderr.contains("data.jsonl: 18 questions, 2 held out"), "{run:#?}");
    for (arguments, says) in [
        ("data import rows.jsonl --out rows.jsonl", "rows.jsonl: one of the files to import"),
        ("data import nowhere.jsonl --out x.jsonl", "nowhere.jsonl: no such file"),
        (
            "data import rows.jsonl --out x.jsonl --layout s1k",
            "rows.jsonl:1: no column question; the layout s1k needs it",
        ),
        ("data import rows.jsonl --out x.jsonl --traces 0", "--traces is 0; give at least 1"),
        (
            "data import rows.jsonl --out x.jsonl --traces 2 --min-traces 3",
            "--traces 2 is less than --min-traces 3",
        ),
        ("data import rows.jsonl --out x.jsonl --min-traces 3", "20 with fewer traces than --min-traces"),
    ] {
        let done = home.run(arguments);
        assert!(done.refusal().contains(says), "{done:#?}");
        assert!(!home.path("x.jsonl").exists());
    }
}

/// Thoughts, calls and unread keys from a dataset to a run: nothing is left out without a word.
#[test]
fn chats_lose_nothing_without_a_word() {
    let home = Home::new();
    fixture(&home, WITH_FORKS);
    let template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.reasoning_content and loop.last %}<think>\n{{ m.reasoning_content }}\n</think>\n\n{% endif %}{{ m.content }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";
    home.write("model/chat_template.jinja", template);
    let user = |text: &str| json!({"role": "user", "content": text});
    let assistant = |text: &str| json!({"role": "assistant", "content": text, "reasoning_content": "2+5=7"});
    let called = json!({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "add"}}]});
    let rows = [
        json!({"messages": [user("12+35?"), assistant("47"), user("sure?"), assistant("yes")], "tools": ["add"]}),
        json!({"messages": [user("1+1?"), called]}),
        json!({"messages": [user("1+2?"), assistant("3")]}),
    ];
    home.write("rows.jsonl", rows.map(|row| row.to_string() + "\n").concat());
    let done = home.run("data import rows.jsonl --out data.jsonl --model model").succeeded();
    let expected = [
        "data.jsonl: 3 rows: 2 questions kept with 2 traces",
        "dropped 1 question: 1 with calls of tools",
        "not read: columns tools (1 row)",
        r#"thoughts in the form of the chat template: "<think>\n..\n</think>\n\n..""#,
    ];
    assert_eq!(done.stdout.lines().collect::<Vec<_>>(), expected);
    let text = fs::read_to_string(home.path("data.jsonl")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(first["messages"], json!([user("12+35?"), assistant("47"), user("sure?")]));
    assert_eq!(first["traces"][0]["text"], "<think>\n2+5=7\n</think>\n\nyes");
    // The template shows no thoughts of earlier turns, and no keys of users' own.
    home.write("data.jsonl", text.replace(r#""content":"sure?""#, r#""content":"sure?","weight":1"#));
    let key = r#"data.jsonl:1: question "rows-1", message 3: "weight" is not part of the prompt"#;
    let reasoning = r#"data.jsonl:1: question "rows-1", message 2: "reasoning_content" is not part of the prompt: the chat template leaves it out"#;
    let done = home.run("data check data.jsonl --model model").succeeded();
    let expected =
        format!("note: {key}\nnote: {reasoning}\ndata.jsonl: 2 questions with 2 traces, no problem\n");
    assert_eq!(done.stdout, expected);
    let done = home.run(&train("--steps 1 --out run")).succeeded();
    let expected = format!("note     {key}, and 1 note on other parts; `ssft-wgpu data check` prints them\n");
    assert!(done.stderr.contains(&expected), "{done:#?}");
    // A template without thoughts: said, and written as without a model.
    fs::remove_file(home.path("model/chat_template.jinja")).unwrap();
    let done = home.run("data import rows.jsonl --out data.jsonl --model model").succeeded();
    let says = "thoughts before a blank line: the chat template has no form of its own for them\n";
    assert!(done.stdout.ends_with(says), "{done:#?}");
}

#[cfg(unix)]
#[test]
fn an_import_that_is_stopped_leaves_nothing() {
    let home = Home::new();
    let row = |n: usize| json!({"prompt": n, "messages": [{"role": "user", "content": n.to_string()}, {"role": "assistant", "content": "a ".repeat(400)}]});
    home.write("rows.jsonl", (1..=60_000).map(|n| row(n).to_string() + "\n").collect::<String>());
    home.write("out.jsonl", "old");
    let mut importing = home.start("data import rows.jsonl --out out.jsonl");
    wait_until("the file is begun", || home.path(".unfinished-out.jsonl").exists());
    assert!(importing.is_running(), "the import ended before it was stopped");
    importing.signal("INT");
    assert_eq!(importing.wait(), (Some(130), "\nstopped: nothing was written\n".to_owned()));
    assert_eq!(names(&home.path("")), ["out.jsonl", "rows.jsonl"]);
    assert_eq!(fs::read_to_string(home.path("out.jsonl")).unwrap(), "old");
}
