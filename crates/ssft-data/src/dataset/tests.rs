use super::*;
use std::fs;

const GOOD: &str = r#"{"id":"q1","question":"1+1=","traces":[{"source":"a","text":"2"}],"answer":"2"}"#;

fn messages(input: impl AsRef<[u8]>) -> Vec<String> {
    let checked = check_records("d.jsonl", input.as_ref(), &Limits::default());
    checked.problems.iter().map(ToString::to_string).collect()
}

fn with_id(id: &str) -> String {
    GOOD.replace("q1", id)
}

#[test]
fn reads_the_documented_line() {
    let records = parse_records("d.jsonl", GOOD.as_bytes(), &Limits::default()).unwrap();
    let trace = Trace { source: "a".to_owned(), text: "2".to_owned() };
    let expected = Record {
        id: "q1".to_owned(),
        question: Some("1+1=".to_owned()),
        messages: None,
        traces: vec![trace],
        answer: Some("2".to_owned()),
    };
    assert_eq!(records, [expected]);
}

#[test]
fn accepts_mark_crlf_and_blank_lines() {
    let file = format!("\u{feff}\r\n{}\r\n \t\n\n{}", with_id("a"), with_id("b"));
    let records = parse_records("d.jsonl", file.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(records.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let file = format!("\u{feff}{GOOD}");
    assert_eq!(parse_records("d.jsonl", file.as_bytes(), &Limits::default()).unwrap().len(), 1);
    let chat = r#"{"id":"c","messages":[{"role":"user","content":"1+1?"}],"traces":[{"text":"2"}]}"#;
    assert!(messages(chat).is_empty());
}

#[test]
fn files_that_hold_nothing() {
    for empty in ["", "\n\n", "\u{feff}", "  \r\n"] {
        assert_eq!(
            messages(empty),
            ["d.jsonl: holds no records; put one JSON object on each line"],
            "{empty:?}"
        );
    }
}

#[test]
fn every_fault_of_a_line() {
    let traces = r#""traces":[{"source":"a","text":"2"}]"#;
    let fields = "a record has id, question or messages, traces (each source and text) and, if known, answer";
    let object =
        r#"not a JSON object; write {"id":..,"question":..,"traces":[{"source":..,"text":..}],"answer":..}"#;
    let json = "put one complete JSON object on each line";
    let cases: Vec<(String, String)> = vec![
        ("{\"id\":".into(), format!("not valid JSON at column 6 (EOF while parsing a value); {json}")),
        ("{".into(), format!("not valid JSON at column 1 (EOF while parsing an object); {json}")),
        (
            format!("{GOOD}{GOOD}"),
            format!("not valid JSON at column {} (trailing characters); {json}", GOOD.len() + 1),
        ),
        ("id,question,answer".into(), format!("not valid JSON at column 1 (expected value); {json}")),
        ("[1,2]".into(), object.into()),
        (format!("[{GOOD}]"), object.into()),
        ("7".into(), object.into()),
        (r#"["q1","1+1=",null,[],null]"#.into(), object.into()),
        (format!(r#"{{"question":"x",{traces}}}"#), format!("missing field \"id\"; {fields}")),
        (r#"{"id":"q","question":"x"}"#.into(), format!("missing field \"traces\"; {fields}")),
        (
            format!(r#"{{"id":"q","question":"x","a\nb":1,{traces}}}"#),
            format!(
                r#"unknown field "a\nb", expected one of "id", "question", "messages", "traces", "answer"; {fields}"#
            ),
        ),
        (
            r#"{"id":"q","question":"x","traces":[{"source":"a"}]}"#.into(),
            format!("missing field \"text\"; {fields}"),
        ),
        (
            format!(r#"{{"id":7,"question":"x",{traces}}}"#),
            format!("invalid type: integer \"7\", expected a string; {fields}"),
        ),
        (
            format!(r#"{{"id":"q","id":"q","question":"x",{traces}}}"#),
            format!("duplicate field \"id\"; {fields}"),
        ),
        (
            format!(r#"{{"id":"","question":"x",{traces}}}"#),
            "the id is empty; give every question an id of its own".into(),
        ),
        (
            format!(r#"{{"id":"q","question":"x","messages":[],{traces}}}"#),
            r#"question "q" has both "question" and "messages"; keep one of them"#.into(),
        ),
        (
            format!(r#"{{"id":"q",{traces}}}"#),
            r#"question "q" has neither "question" nor "messages"; add one of them"#.into(),
        ),
        (
            format!(r#"{{"id":"q","question":" \n",{traces}}}"#),
            r#"question "q" has an empty "question"; write its text or drop the line"#.into(),
        ),
        (
            format!(r#"{{"id":"q","messages":[],{traces}}}"#),
            r#"question "q" has an empty "messages" list; add a message or drop the line"#.into(),
        ),
        (
            format!(
                r#"{{"id":"q","messages":[{{"role":"user","content":"x"}},{{"role":"robot","content":"x"}}],{traces}}}"#
            ),
            r#"question "q", message 2: unknown role "robot"; use system, user or assistant"#.into(),
        ),
        (
            r#"{"id":"q\n","question":"x","traces":[]}"#.into(),
            r#"question "q\n" has no traces; add at least one or drop the line"#.into(),
        ),
        (
            r#"{"id":"q","question":"x","traces":[{"source":"a","text":"y"},{"source":"b","text":"\t"}]}"#
                .into(),
            r#"question "q", trace 2 (source "b"): empty text; write it or drop the trace"#.into(),
        ),
    ];
    for (line, fault) in cases {
        let found = messages(format!("\n{line}\n"));
        assert_eq!(found, [format!("d.jsonl:2: {fault}")], "{line}");
        assert!(!found[0].contains('\n'));
    }
}

/// A record with these messages, each a role and a content.
fn chat(turns: &[[&str; 2]]) -> String {
    let turn = |[role, content]: &[&str; 2]| serde_json::json!({"role": role, "content": content});
    let turns: Vec<_> = turns.iter().map(turn).collect();
    serde_json::json!({"id": "q1", "messages": turns, "traces": [{"text": "2"}]}).to_string()
}

#[test]
fn chats_are_checked_like_questions() {
    let (system, user, assistant) = (["system", "s"], ["user", "u"], ["assistant", "a"]);
    let empty = |number| {
        format!(r#"question "q1", message {number}: empty "content"; write its text or drop the message"#)
    };
    let answer = |number| {
        format!(
            r#"question "q1", message {number}: an answer of the assistant at the end of the prompt; move it into "traces""#
        )
    };
    let no_user =
        || r#"question "q1" has no message of the user in "messages"; add one or drop the line"#.to_owned();
    let cases: [(&[[&str; 2]], Vec<String>); 11] = [
        (&[user], vec![]),
        (&[system, user, assistant, user], vec![]),
        (&[assistant, user, user], vec![]),
        // An empty system message replaces the default of a template; one after the question is a part of it.
        (&[["system", ""], user, ["system", " "]], vec![]),
        (&[user, assistant], vec![answer(2)]),
        (&[user, assistant, user, assistant, ["assistant", "\t"]], vec![empty(5), answer(5)]),
        (&[["user", " \n\u{3000}"]], vec![empty(1)]),
        (&[user, ["assistant", ""], user], vec![empty(2)]),
        (&[system], vec![no_user()]),
        (&[system, assistant], vec![no_user()]),
        (&[assistant], vec![no_user()]),
    ];
    for (turns, faults) in cases {
        let expected: Vec<String> = faults.iter().map(|fault| format!("d.jsonl:3: {fault}")).collect();
        assert_eq!(messages(format!("\n\n{}\n", chat(turns))), expected, "{turns:?}");
    }
}

#[test]
fn keys_of_messages_that_are_not_read_are_noted() {
    let first = r#"{"id":"a","messages":[{"role":"user","content":"x","weight":0,"name":" ","tool_calls":[]}],"traces":[{"text":"2"}]}"#;
    let second = r#"{"id":"b","messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y","reasoning_content":"r","tool_calls":[{"id":1}]},{"role":"user","content":"z","weight":1,"name":null,"reasoning_content":null}],"traces":[{"text":"2"}]}"#;
    let faulty = r#"{"id":"c","messages":[{"role":"user","content":"","audio":1}],"traces":[{"text":"2"}]}"#;
    let checked =
        check_records("d.jsonl", format!("{first}\n\n{second}\n{faulty}\n").as_bytes(), &Limits::default());
    let expected = [
        r#"d.jsonl:1: question "a", message 1: "weight" is not part of the prompt (one of 2)"#,
        r#"d.jsonl:3: question "b", message 2: "tool_calls" is not part of the prompt"#,
    ];
    assert_eq!(checked.notes.lines(5), expected);
    assert_eq!((checked.records.len(), checked.problems.len()), (2, 1));
    let reasoning =
        |at: usize| checked.records[1].messages.as_ref().unwrap()[at].reasoning_content.as_deref();
    assert_eq!((reasoning(1), reasoning(2)), (Some("r"), None));
    // A key that can be skipped but not read.
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    for value in [deep.as_str(), r#""\ud800""#] {
        let chat = format!(r#""messages":[{{"role":"user","content":"x","k":{value}}}]"#);
        let line = with_id("q").replace(r#""question":"1+1=""#, &chat);
        let checked = check_records("d.jsonl", line.as_bytes(), &Limits::default());
        let expected = r#"d.jsonl:1: question "q", message 1: "k" is not part of the prompt"#;
        assert_eq!(checked.notes.lines(1), [expected], "{:?}", checked.problems);
    }
    // A message is an object, not a list of its fields.
    let list = r#"{"id":"d","messages":[["user","x"]],"traces":[{"text":"2"}]}"#;
    assert!(
        messages(list)[0].starts_with("d.jsonl:1: invalid type: sequence, expected a map;"),
        "{:?}",
        messages(list)
    );
}

#[test]
fn bytes_that_are_no_text() {
    let mut file = format!("{GOOD}\r\nab").into_bytes();
    file.extend(b"\xff\xfe\n");
    assert_eq!(messages(&file), ["d.jsonl:2: not valid UTF-8 at byte 3; save the file as UTF-8"]);
    // UTF-16 with a mark, as some editors save it.
    assert_eq!(messages(b"\xff\xfe{\0"), ["d.jsonl:1: not valid UTF-8 at byte 1; save the file as UTF-8"]);
}

#[test]
fn duplicate_ids_name_both_lines() {
    let file = format!("{}\n\n{}\n{}\n", with_id("a"), with_id("b"), with_id("a"));
    let expected = r#"d.jsonl:4: id "a" is already used on line 1; give every question an id of its own"#;
    assert_eq!(messages(&file), [expected]);
    let checked = check_records("d.jsonl", file.as_bytes(), &Limits::default());
    assert_eq!(checked.records.len(), 2);
}

#[test]
fn line_limit_is_exact() {
    let limits = |line_bytes| Limits { line_bytes, problems: 20 };
    for end in ["", "\n", "\r\n"] {
        for mark in ["", "\u{feff}"] {
            let file = format!(
                "{mark}{GOOD}{end}{}{end}",
                if end.is_empty() { String::new() } else { with_id("zz") }
            );
            let checked = check_records("d", file.as_bytes(), &limits(GOOD.len()));
            assert!(checked.problems.is_empty(), "{end:?} {mark:?} {:?}", checked.problems);
            let checked = check_records("d", file.as_bytes(), &limits(GOOD.len() - 1));
            let expected = format!(
                "d:1: longer than {} bytes; put one question on each line and shorten its traces",
                GOOD.len() - 1
            );
            assert_eq!(checked.problems[0].to_string(), expected, "{end:?} {mark:?}");
        }
    }
}

#[test]
fn reading_goes_on_behind_a_long_line() {
    for extra in 0..40 {
        let file = format!("{}\n{GOOD}\n", "x".repeat(GOOD.len() + extra));
        let checked = check_records("d", file.as_bytes(), &Limits { line_bytes: GOOD.len(), problems: 20 });
        assert_eq!((checked.records.len(), checked.problems.len()), (1, 1), "{extra}");
    }
}

#[test]
fn problems_are_limited_and_training_sees_the_first() {
    let file = "x\n".repeat(50);
    assert_eq!(messages(&file).len(), 20);
    let error =
        parse_records("d.jsonl", format!("{GOOD}\n{file}").as_bytes(), &Limits::default()).unwrap_err();
    assert!(error.to_string().starts_with("d.jsonl:2: not valid JSON at column 1 "), "{error}");
    // Several faults in one line count one by one.
    let line = r#"{"id":"q","traces":[]}"#;
    assert_eq!(messages(line).len(), 2);
}

#[test]
fn files_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.jsonl");
    let error = read_records(&absent, &Limits::default()).unwrap_err().to_string();
    let expected = "no such file; check the path, or make one with `data make`";
    assert_eq!(error, format!("{}: {expected}", absent.display()));
    let error = read_records(folder.path(), &Limits::default()).unwrap_err().to_string();
    let expected = "cannot be read (Is a directory (os error 21)); check the path and its permissions";
    assert_eq!(error, format!("{}: {expected}", folder.path().display()));
}

#[test]
fn writes_whole_files_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.jsonl");
    let file = format!("{}\n{}\n", with_id("a"), with_id("b\\n\u{2028}é"));
    let records = parse_records("d", file.as_bytes(), &Limits::default()).unwrap();
    fs::write(&path, "old").unwrap();
    write_records(&path, &records).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), file);
    assert_eq!(read_records(&path, &Limits::default()).unwrap(), records);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "the temporary file is gone");

    let nowhere = path.join("d.jsonl");
    let error = write_records(&nowhere, &records).unwrap_err().to_string();
    let expected =
        "cannot be written (File exists (os error 17)); check the folder, its permissions and the free space";
    assert_eq!(error, format!("{}: {expected}", nowhere.display()));

    // A folder in the way: the rename fails and nothing is left behind.
    let taken = folder.path().join("taken");
    fs::create_dir_all(taken.join("x")).unwrap();
    assert!(write_records(&taken, &records).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn more_traces_than_forks() {
    let mut records = parse_records("d", GOOD.as_bytes(), &Limits::default()).unwrap();
    records[0].traces = vec![records[0].traces[0].clone(); 3];
    assert!(check_forks(&records, 3).is_ok());
    let error = check_forks(&records, 2).unwrap_err().to_string();
    assert_eq!(error, r#"question "q1": 3 traces but only 2 forks; drop traces or raise `forks` to 3"#);
    assert_eq!(fork_problems(&records, 2).count(), 1);
}

/// What Python writes and JSON does not have is refused by name where it is used, and not noticed where it is not.
#[test]
fn values_of_python_are_named_where_they_matter() {
    let line = |id: &str, content: &str, weight: &str, text: &str| {
        format!(
            r#"{{"id":{id},"messages":[{{"role":"user","content":"{content}","weight":{weight}}}],"traces":[{{"text":"{text}"}}]}}"#
        )
    };
    let read = |line: &str| {
        parse_records("d.jsonl", line.as_bytes(), &Limits::default()).map_err(|error| error.to_string())
    };
    for weight in ["NaN", "-Infinity", "1e999"] {
        let records = read(&line(r#""q""#, "a", weight, "2")).unwrap();
        assert_eq!(records[0].traces[0].text, "2");
    }
    let half = "half of a character; write the whole character, or leave it out";
    for (line, says) in [
        (
            line("NaN", "a", "1", "2"),
            "id holds NaN, which JSON does not have; write it as text, or null for nothing".to_owned(),
        ),
        (line(r#""q""#, r"\ud83d", "1", "2"), format!(r"messages[0].content holds \ud83d, {half}")),
        (line(r#""q""#, "a", "NaN", r"2\ude00"), format!(r"traces[0].text holds \ude00, {half}")),
        // What is wrong with the line, and not a value of a key that no record has.
        (
            line("5", "a", "NaN", "2"),
            "invalid type: integer `5`, expected a string; a record has id, question or messages, traces (each \
             source and text) and, if known, answer"
                .replace('`', "\""),
        ),
    ] {
        assert_eq!(read(&line).unwrap_err(), format!("d.jsonl:1: {says}"));
    }
}
