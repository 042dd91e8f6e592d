//! Files and rows that cannot be imported: the exact messages.

use super::parquet_rows::write;
use super::*;
use parquet::basic::Compression;
use serde_json::json;

/// The message for a JSONL file of this text.
fn message(text: &str, layout: Option<Layout>) -> String {
    let folder = Folder::new();
    let file = folder.text("d.jsonl", text);
    folder.refusal(&[file], &ImportSettings { layout, ..ImportSettings::default() })
}

#[test]
fn files_of_no_layout() {
    let names = "rename the columns as one of the layouts has them: s1k, openr1, openthoughts, chat";
    let unknown = |columns: &str| format!("d.jsonl: columns of no layout that is known ({columns}); {names}");
    assert_eq!(message(r#"{"question":"q","answer":"1"}"#, None), unknown("question, answer"));
    assert_eq!(message("{}", None), unknown(""));
    let many: String = (0..13).map(|at| format!("\"c{at}\":0,")).collect();
    let many = format!("{{{}}}", many.trim_end_matches(','));
    assert_eq!(message(&many, None), unknown("c0, c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, .."));
    let ours = r#"{"id":"a","question":"q","traces":[{"source":"s","text":"t"}]}"#;
    let expected = "d.jsonl: holds records of this program already; use it as it is";
    assert_eq!(message(ours, None), expected);
    assert_eq!(message(ours, Some(Layout::S1k)), expected);
}

#[test]
fn files_that_are_not_rows() {
    for (text, expected) in [
        ("", "d.jsonl: holds no rows; leave it out"),
        ("\u{feff}\n \r\n", "d.jsonl: holds no rows; leave it out"),
        (
            " \n[{\"question\":1},",
            "d.jsonl: one JSON array, which cannot be read row by row; \
             write one object on each line, for example with `jq -c '.[]'`",
        ),
        ("7\n", "d.jsonl:1: not a JSON object; put one row, an object with its columns, on each line"),
        (
            "\n{\"a\":",
            "d.jsonl:2: not valid JSON at column 5 (EOF while parsing a value); \
             put one complete JSON object on each line",
        ),
        (
            "{\"a\":1}{}",
            "d.jsonl:1: not valid JSON at column 8 (trailing characters); \
             put one complete JSON object on each line",
        ),
    ] {
        assert_eq!(message(text, None), expected, "{text:?}");
    }
}

#[test]
fn rows_that_are_not_what_the_layout_says() {
    let good = r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#;
    let turns = |turns: &str| format!("{good}\n\n{{\"messages\":{turns}}}\n");
    let at = |reason: &str| format!("d.jsonl:3: {reason}; check `layout`");
    let lacks = "no column messages or conversations; the layout chat needs it, so";
    assert_eq!(message(&format!("{good}\n\n{{}}"), None), format!("d.jsonl:3: {lacks} check `layout`"));
    for (row, reason) in [
        ("7", "column messages holds a number in place of a list"),
        ("[7]", "column messages holds a number in place of turns of role and content, or of from and value"),
        (r#"[{"role":7}]"#, "column messages holds a number in place of turns whose speaker is text"),
        (
            r#"[{"role":"user","content":7}]"#,
            "column messages holds a number in place of turns whose content is text",
        ),
    ] {
        assert_eq!(message(&turns(row), None), at(reason), "{row}");
    }
    let twice = turns(r#"[{"role":"user","content":"a","content":"b"}]"#);
    assert_eq!(
        message(&twice, None),
        "d.jsonl:3: not valid JSON at column 51 (the key \"content\" twice); put one complete JSON object on each line"
    );
    let twice = format!("{good}\n\n{}", r#"{"messages":[],"messages":[]}"#);
    assert_eq!(
        message(&twice, None),
        "d.jsonl:3: not valid JSON at column 25 (the key \"messages\" twice); put one complete JSON object on \
         each line"
    );
}

#[test]
fn columns_that_a_layout_needs() {
    let lacks = |column: &str, layout: &str| {
        format!("d.jsonl:1: no column {column}; the layout {layout} needs it, so check `layout`")
    };
    for (row, layout, expected) in [
        ("{}", Layout::S1k, lacks("question", "s1k")),
        (
            r#"{"question":"q"}"#,
            Layout::S1k,
            lacks("thinking_trajectories and no <teacher>_thinking_trajectory", "s1k"),
        ),
        ("{}", Layout::OpenR1, lacks("problem", "openr1")),
        (r#"{"problem":"p"}"#, Layout::OpenR1, lacks("generations", "openr1")),
        ("{}", Layout::OpenThoughts, lacks("conversations or problem", "openthoughts")),
        (r#"{"problem":"p"}"#, Layout::OpenThoughts, lacks("deepseek_reasoning", "openthoughts")),
        ("{}", Layout::Chat, lacks("messages or conversations", "chat")),
        (
            r#"{"problem":"p","generations":["a"],"is_reasoning_complete":["yes"]}"#,
            Layout::OpenR1,
            "d.jsonl:1: column is_reasoning_complete holds text in place of a list of true and false; check `layout`"
                .to_owned(),
        ),
        (
            r#"{"problem":"p","generations":["a",7]}"#,
            Layout::OpenR1,
            "d.jsonl:1: column generations holds a number in place of a list of texts; check `layout`".to_owned(),
        ),
        (
            r#"{"problem":7,"generations":["a"]}"#,
            Layout::OpenR1,
            "d.jsonl:1: column problem holds a number in place of text; check `layout`".to_owned(),
        ),
    ] {
        assert_eq!(message(row, Some(layout)), expected, "{row}");
    }
}

#[test]
fn lines_have_a_limit() {
    let folder = Folder::new();
    let row = r#"{"messages":[{"role":"user","content":"q"},{"role":"assistant","content":"a"}]}"#;
    let long = row.replace("\"a\"", "\"aa\"");
    let file = folder.text("d.jsonl", &format!("{row}\n{long}\n"));
    let limits = Limits { line_bytes: row.len(), ..Limits::default() };
    assert_eq!(
        folder.refusal(&[file], &ImportSettings { limits, ..ImportSettings::default() }),
        format!(
            "d.jsonl:2: longer than {} bytes; put one question on each line and shorten its traces",
            row.len()
        )
    );
}

#[test]
fn rows_of_parquet_are_named_too() {
    let folder = Folder::new();
    let file = folder.path("d.parquet");
    let rows = [json!({"problem": "p", "generations": "a"})];
    write(&file, &rows, 1, Compression::SNAPPY);
    let settings = ImportSettings::default();
    let expected = "d.parquet, row 1: column generations holds text in place of a list; check `layout`";
    assert_eq!(folder.refusal(slice::from_ref(&file), &settings), expected);
    let settings = ImportSettings { layout: Some(Layout::Chat), ..settings };
    assert_eq!(
        folder.refusal(&[file], &settings),
        "d.parquet, row 1: no column messages or conversations; the layout chat needs it, so check `layout`"
    );
}

#[test]
fn paths_that_are_no_files() {
    let folder = Folder::new();
    let settings = ImportSettings::default();
    let refusal = |name: &str| folder.refusal(&[folder.path(name)], &settings);
    let missing = "no such file; check the path, or make one with `data make`";
    assert_eq!(refusal("absent.jsonl"), format!("absent.jsonl: {missing}"));
    fs::create_dir(folder.path("sub.jsonl")).unwrap();
    let expected = "sub.jsonl: not a regular file; name the files themselves: they are read twice";
    assert_eq!(refusal("sub.jsonl"), expected);
    folder.text("d.csv", "a,b");
    assert_eq!(
        refusal("d.csv"),
        "d.csv: neither .jsonl, .json nor .parquet by its name; convert or rename it"
    );
}

#[test]
fn an_input_is_never_the_output() {
    let folder = Folder::new();
    let row = json!({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]});
    let file = folder.jsonl("out.jsonl", &[row]);
    let before = fs::read(&file).unwrap();
    let expected = "out.jsonl: one of the files to import; write to another one";
    assert_eq!(folder.refusal(slice::from_ref(&file), &ImportSettings::default()), expected);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_late_error_leaves_the_old_output() {
    let folder = Folder::new();
    // The fault is in a column that only the second pass reads, behind a record that was written.
    let rows = [json!({"problem": "p", "generations": ["a"]}), json!({"problem": "q", "generations": 7})];
    let file = folder.jsonl("d.jsonl", &rows);
    folder.text("out.jsonl", "old");
    assert_eq!(
        folder.refusal(&[file], &ImportSettings::default()),
        "d.jsonl:2: column generations holds a number in place of a list; check `layout`"
    );
    assert_eq!(fs::read_to_string(folder.path("out.jsonl")).unwrap(), "old");
}
