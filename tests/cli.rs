//! Tests of the command line: output for valid arguments, error messages for invalid arguments and data.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{Done, Home, copy_directory, names, read_json, tiny, wait_until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

const GOOD: &str = r#"{"id":"q1","question":"1+1=","traces":[{"source":"a","text":"2"}],"answer":"2"}"#;

/// A record with an id, `fields` and one trace.
fn line(fields: &str) -> String {
    format!(r#"{{"id":"q",{fields}"traces":[{{"source":"a","text":"2"}}]}}"#)
}

fn with_traces(traces: &str) -> String {
    format!(r#"{{"id":"q","question":"1+1=","traces":[{traces}]}}"#)
}

/// Content of a data file, flags, place of the problem, and a part of the expected message.
type BadData = (Vec<u8>, &'static str, &'static str, &'static str);

#[rustfmt::skip]
fn bad_data() -> Vec<BadData> {
    let after_a_good_line = |bad: &str| format!("{GOOD}\n{bad}\n").into_bytes();
    let alone = |bad: String| bad.into_bytes();
    let trace = |text: &str| format!(r#"{{"source":"a","text":"{text}"}}"#);
    vec![
        (vec![], "", "bad.jsonl: ", "holds no records; put one JSON object on each line"),
        (b"\n\r\n".to_vec(), "", "bad.jsonl: ", "holds no records; put one JSON object on each line"),
        ([GOOD.as_bytes(), b"\n\xff\n"].concat(), "", "bad.jsonl:2: ", "not valid UTF-8 at byte 1; save the file as UTF-8"),
        (after_a_good_line(r#"{"id":"#), "", "bad.jsonl:2: ", "not valid JSON at column 6"),
        (after_a_good_line("[1]"), "", "bad.jsonl:2: ", "not a JSON object; write {"),
        (after_a_good_line(GOOD), "", "bad.jsonl:2: ", "id \"q1\" is already used on line 1; give every question an id of its own"),
        (alone(with_traces(&trace("2")).replace("\"q\"", "\"\"")), "", "bad.jsonl:1: ", "the id is empty; give"),
        (alone(with_traces(&trace("2")).replace("\"q\"", "7")), "", "bad.jsonl:1: ", "invalid type: integer \"7\", expected a string; a record has id"),
        (alone(line(r#""frage":"1+1=","#)), "", "bad.jsonl:1: ", "unknown field \"frage\""),
        (alone(line("")), "", "bad.jsonl:1: ", "neither \"question\" nor \"messages\"; add one of them"),
        (alone(line(r#""question":"x","messages":[],"#)), "", "bad.jsonl:1: ", "both \"question\" and \"messages\"; keep one of them"),
        (alone("x".repeat(17 << 20)), "", "bad.jsonl:1: ", "longer than 16777216 bytes; put one question on each line"),
        (alone(line(r#""question":" ","#)), "", "bad.jsonl:1: ", "an empty \"question\"; write its text or drop the line"),
        (alone(line(r#""messages":[],"#)), "", "bad.jsonl:1: ", "an empty \"messages\" list; add a message"),
        (alone(line(r#""messages":[{"role":"tool","content":"x"}],"#)), "", "bad.jsonl:1: ", "message 1: unknown role \"tool\"; use system, user or assistant"),
        (alone(line(r#""messages":[{"role":"user","content":"x"},{"role":"assistant","content":"2"}],"#)), "", "bad.jsonl:1: ", "message 2: an answer of the assistant at the end of the prompt; move it into \"traces\""),
        (alone(line(r#""messages":[{"role":"user","content":" "}],"#)), "", "bad.jsonl:1: ", "message 1: empty \"content\"; write its text or drop the message"),
        (alone(line(r#""messages":[{"role":"system","content":"x"}],"#)), "", "bad.jsonl:1: ", "no message of the user in \"messages\"; add one or drop the line"),
        (alone(r#"{"id":"q","question":"x"}"#.into()), "", "bad.jsonl:1: ", "missing field \"traces\""),
        (alone(with_traces("")), "", "bad.jsonl:1: ", "has no traces; add at least one or drop the line"),
        (alone(with_traces(&trace(" "))), "", "bad.jsonl:1: ", "trace 1 (source \"a\"): empty text; write it or drop the trace"),
        (alone(with_traces(&[trace("1"), trace("2"), trace("3")].join(","))), "--forks 2", "bad.jsonl: ", "question \"q\": 3 traces but only 2 forks; drop traces or raise --forks to 3"),
        (alone(with_traces(&trace("abc"))), "--context 7", "bad.jsonl: ", "question \"q\", trace 1 (source \"a\"): prompt 4 + fork 1 + trace 4 = 9 tokens, but the context is 7; shorten it, drop it, or raise --context"),
        (alone(with_traces(&trace("2"))), "--context 5", "bad.jsonl: ", "prompt 4 + fork 1 tokens leave no room in a context of 5"),
    ]
}

#[test]
fn bad_data_is_refused_with_its_place() {
    for (content, flags, place, says) in bad_data() {
        let home = Home::new();
        home.write("bad.jsonl", content);
        let train = home.run(&format!("train --data bad.jsonl --out run --device cpu --steps 1 {flags}"));
        let refusal = train.refusal();
        assert!(refusal.starts_with(place) && refusal.contains(says), "{refusal}");
        assert_eq!(names(&home.path("")), ["bad.jsonl"], "a refused run leaves no directory");

        let check = home.run(&format!("data check bad.jsonl {flags}"));
        let lines: Vec<&str> = check.stderr.lines().collect();
        assert_eq!((check.code, lines.len()), (Some(2), 2), "{check:#?}");
        assert_eq!(lines[0], refusal);
        assert_eq!(lines[1], "error: bad.jsonl: 1 problem");
    }
}

#[test]
fn check_reports_every_problem_of_a_file() {
    let home = Home::new();
    home.write("bad.jsonl", format!("{{\n{GOOD}\n{GOOD}\n[]\n"));
    let check = home.run("data check bad.jsonl");
    let places: Vec<&str> = check.stderr.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(places, ["bad.jsonl:1", "bad.jsonl:3", "bad.jsonl:4", "error"], "{check:#?}");
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let home = Home::new();
    home.write("unknown.toml", "stepz = 1\n");
    home.write("broken.toml", "steps = 1\nlr = = 2\n");
    home.write("huge.toml", "eval-every = 1e19\n");
    home.write("both.toml", "steps = 1\nepochs = 1\n");
    home.write("a-file", "");
    home.write("a-directory/note", "");
    #[rustfmt::skip]
    let cases = [
        ("train --data nowhere.jsonl", "nowhere.jsonl: no such file; check the path, or make one with `ssft-wgpu data make`"),
        ("train --data a-directory", "a-directory: cannot be read"),
        ("train --task chess", "there is no task \"chess\"; built in: arithmetic"),
        ("train --difficulty 9", "difficulty 9 does not exist; choose 1 to"),
        ("train --difficulty 1 --train-questions 9999999", "; ask for fewer or raise --difficulty"),
        ("train --forks 0", "--forks is 0; give 1 to 256"),
        ("train --forks 3", "4 traces but only 3 forks; drop traces or raise --forks to 4"),
        ("train --forks 9999", "--forks is 9999; give 1 to 256"),
        ("train --match-tokens 0", "--match-tokens is 0; give 1 to 1048576"),
        ("train --batch-questions 0", "--batch-questions is 0; give 1 to 1048576"),
        ("train --accumulate 0", "--accumulate is 0; give 1 to 1048576"),
        ("train --steps 0", "--steps is 0; give 1 or more"),
        ("train --train-questions 0", "--train-questions is 0; give 1 to 10000000"),
        ("train --seed 18446744073709551615", "--seed is 18446744073709551615; give 0 to 9223372036854775807"),
        ("train --keep 0", "--keep is 0; give 1 or more"),
        ("train --context 0", "--context is 0; give 1 to 1048576"),
        ("train --context 5", "leave no room in a context of 5; shorten it, drop it, or train with a larger --context"),
        ("train --lr 0", "--lr is 0; give a number above 0"),
        ("train --lr NaN", "invalid value 'NaN' for '--lr <RATE>': give a number above 0"),
        ("train --weight-decay=-1", "--weight-decay is -1; give 0 or more"),
        ("train --epochs 0", "--epochs is 0; give a number above 0"),
        ("train --config unknown.toml", "unknown.toml: unknown key \"stepz\"; keys are the flags"),
        ("train --config broken.toml", "broken.toml:2: not valid TOML"),
        ("train --config nowhere.toml", "nowhere.toml: cannot be read"),
        ("train --model nowhere", "nowhere: there is no config.json; give the directory of a Hugging Face model"),
        ("train --model a-directory", "a-directory: there is no config.json; give the directory of a Hugging Face model"),
        ("train --config both.toml", "both.toml: has both steps and epochs; keep one of them"),
        ("train --out a-file", "a-file: cannot be used"),
        ("train --out a-directory", "a-directory is not empty (it has note); give another --out"),
        ("train --resume --out nowhere", "nowhere holds no run to resume; check --out, or leave out --resume"),
        ("data make --out a-file", "a-file: cannot be created"),
        ("data make --task chess --out new", "there is no task \"chess\""),
        ("data check nowhere", "nowhere: 1 problem"),
        ("inspect --forks 0", "--forks is 0; give "),
        ("inspect --forks 2", "4 traces but only 2 forks; drop traces or raise --forks to 4"),
        ("inspect --match-tokens 0", "--match-tokens is 0; give "),
        ("train --steps 9223372036854775808", "--steps is 9223372036854775808; give 1 to 9223372036854775807"),
        ("train --warmup-steps 18446744073709551615", "--warmup-steps is 18446744073709551615; give 0 to 9223372036854775807"),
        ("train --keep 18446744073709551616", "invalid value '18446744073709551616' for '--keep <COUNT>': give 1 to 9223372036854775807"),
        ("train --train-questions 9000000000000000000 --task maze", "--train-questions is 9000000000000000000; give 1 to 10000000"),
        ("train --batch-questions 1048576 --accumulate 1048576", "--batch-questions times --accumulate is 1099511627776; give at most 1048576 questions a step"),
        ("train --config huge.toml", "huge.toml: eval-every is 10000000000000000000; give 0 to 9223372036854775807"),
        ("data make --out new --train 9000000000000000000 --task maze", "--train is 9000000000000000000; give 0 to 10000000"),
        ("data make --out new --test 18446744073709551615", "--test is 18446744073709551615; give 0 to 10000000"),
        ("data check nowhere --context 0", "--context is 0; give 1 to 1048576"),
        ("inspect --id nobody", "no question has the id \"nobody\""),
        ("inspect --model a-directory", "a-directory: there is no config.json; give the directory of a Hugging Face model"),
    ];
    for (arguments, says) in cases {
        let device = if arguments.starts_with("data") { "" } else { "--device cpu" };
        let mut done = home.run(&format!("{arguments} {device}"));
        if arguments.starts_with("data check") {
            done.stderr = done.stderr.lines().last().unwrap_or_default().to_owned();
        }
        assert!(done.refusal().contains(says), "{says}: {done:#?}");
    }
    let left = ["a-directory", "a-file", "both.toml", "broken.toml", "huge.toml", "unknown.toml"];
    let there: Vec<String> = names(&home.path("")).into_iter().filter(|name| name != "runs").collect();
    assert_eq!(there, left, "no file was written");
    assert!(names(&home.path("runs")).is_empty(), "no directory of a run was made");
}

#[test]
fn arguments_that_do_not_parse_are_refused() {
    let home = Home::new();
    for (arguments, says) in [
        ("train --method xyz", "[possible values: sft, sft-mixed, ssft-random, ssft]"),
        ("train --device gpu", "[possible values: auto, wgpu, cpu]"),
        ("train --steps many", "'many' for '--steps <COUNT>'"),
        ("train --stepz 1", "unexpected argument '--stepz'"),
        ("train --task arithmetic --data x", "cannot be used with"),
        ("train --steps 1 --epochs 1", "cannot be used with"),
        ("data", "Usage: ssft-wgpu data <COMMAND>"),
    ] {
        let done = home.run(arguments);
        if arguments == "data" {
            assert!(done.code == Some(2) && done.stderr.contains(says), "the help, in full: {done:#?}");
        } else {
            let refusal = done.refusal();
            assert!(refusal.contains(says) && refusal.ends_with("; see --help"), "{refusal}");
        }
    }
    assert!(names(&home.path("")).is_empty());
    assert!(home.run("--help").succeeded().stdout.starts_with("Set Supervised Fine-Tuning"));
}

#[test]
fn a_damaged_model_is_refused_by_file() {
    let home = Home::new();
    home.run(&tiny("--steps 1 --eval-questions 0 --out run")).succeeded();
    let good = home.path("run/model");
    let config = |key: &str, value: Value| {
        let mut config = read_json(&good.join("config.json"));
        config[key] = value;
        config.to_string().into_bytes()
    };
    let weights = fs::read(good.join("model.safetensors")).unwrap();
    #[rustfmt::skip]
    let cases = [
        ("model.safetensors", weights[..weights.len() / 2].to_vec(), "model.safetensors: "),
        ("model.safetensors", vec![], "model.safetensors: "),
        ("config.json", b"{".to_vec(), "config.json: "),
        ("config.json", config("hidden_size", json!(64)), "the weights do not fit config.json: "),
        ("config.json", config("vocab_size", json!(300)), "the weights do not fit config.json: "),
        ("config.json", config("num_hidden_layers", json!(2)), "has no place in the model"),
        ("config.json", config("model_type", json!("gpt2")), "config.json: model_type \"gpt2\" is not one of"),
        ("tokenizer.json", b"{}".to_vec(), "tokenizer.json: "),
        ("tokenizer_config.json", b"[".to_vec(), "tokenizer_config.json: "),
        ("forks.json", b"{}".to_vec(), "forks.json: "),
    ];
    for (name, content, says) in cases {
        copy_directory(&good, &home.path("model"));
        home.write(&format!("model/{name}"), content);
        let done = home.run(&tiny("--model model --out other"));
        let refusal = done.refusal();
        assert!(refusal.starts_with("model") && refusal.contains(says), "{says}: {refusal}");
        assert!(!home.path("other").exists());
    }
}

#[test]
fn a_run_directory_belongs_to_one_run_and_one_process() {
    let home = Home::new();
    let first = home.start(&tiny("--steps 100000 --out run"));
    wait_until("the run is under way", || !names(&home.path("run/checkpoints")).is_empty());
    let again = home.run(&tiny("--out run"));
    let beside = home.run("train --resume --out run");
    drop(first);
    assert_eq!(
        again.refusal(),
        "run already holds a run; add --resume to continue it, or give another --out"
    );
    assert_eq!(beside.refusal(), "another process is training in run; wait for it, or give another --out");
}

#[test]
fn runs_without_a_name_are_numbered() {
    let home = Home::new();
    let run = |extra: &str| home.run(&tiny(&format!("--steps 1 --eval-questions 0 {extra}")));
    run("").succeeded();
    run("--context 5").refusal();
    run("").succeeded();
    home.run("train --resume --steps 2").succeeded();
    assert_eq!(names(&home.path("runs")), ["arithmetic-ssft", "arithmetic-ssft-2"]);
    assert_eq!(home.losses("runs/arithmetic-ssft").len(), 1);
    assert_eq!(home.losses("runs/arithmetic-ssft-2").len(), 2, "the newest is resumed");
}

#[test]
fn devices_are_written_to_a_file() {
    let home = Home::new();
    home.run("devices --json devices.json").succeeded();
    let devices = read_json(&home.path("devices.json"));
    let adapters = devices["adapters"].as_array().expect("a list");
    assert!(!adapters.is_empty(), "{devices}");
    for adapter in adapters {
        let limits = &adapter["limits"];
        assert!(limits["max_storage_buffer_binding_size"].as_u64() >= Some(128 << 20), "{adapter}");
        let features = adapter["features"].as_array().expect("a list");
        assert!(features.iter().all(serde_json::Value::is_string) && !features.is_empty(), "{adapter}");
        assert_eq!(adapter["subgroup"].as_array().map(Vec::len), Some(2), "{adapter}");
        assert!(adapter["hardware"].is_boolean() && adapter["cooperative_matrices"].is_array(), "{adapter}");
    }
    assert_eq!(devices["auto"].is_null(), adapters[0]["hardware"] == false, "{devices}");
}

#[test]
fn devices_lists_the_cpu() {
    let done = Home::new().run("devices").succeeded();
    assert!(done.stdout.lines().any(|line| line.trim_start().starts_with("cpu")), "{done:#?}");
}

#[test]
fn inspect_shows_rows_costs_and_a_matching() {
    let home = Home::new();
    let question = "inspect --device cpu --difficulty 1 --seed 3";
    let shown = home.run(question).succeeded().stdout;
    let value = home.run(&format!("{question} --json")).succeeded().json();
    let (rows, costs) = (value["rows"].as_array().unwrap(), value["costs"].as_array().unwrap());
    let matching: BTreeSet<u64> =
        value["matching"].as_array().unwrap().iter().map(|fork| fork.as_u64().unwrap()).collect();
    assert_eq!((rows.len(), costs.len(), matching.len()), (4, 6, 4), "traces, forks, forks in use");
    for (row, fork) in rows.iter().zip(value["matching"].as_array().unwrap()) {
        assert_eq!(&row["fork"], fork);
        let text = format!("<think{fork}>[");
        assert!(
            shown.lines().any(|line| line.contains(&text) && line.ends_with("[<|endoftext|>]")),
            "{shown}"
        );
    }
    assert_eq!(
        shown.lines().filter(|line| line.starts_with("trace ") && line.contains("-> <think")).count(),
        4
    );
    assert_eq!(shown.matches('*').count() - value_stars(&shown), 4, "one mark a trace: {shown}");
}

/// Number of stars that are not marks of the matching: multiplications in the rows, and the legend.
fn value_stars(shown: &str) -> usize {
    let is_cost = |line: &str| line.trim_start().starts_with("<think");
    shown.lines().filter(|line| !is_cost(line)).map(|line| line.matches('*').count()).sum()
}

#[test]
fn made_data_is_the_same_twice_passes_the_check_and_trains() {
    let home = Home::new();
    for out in ["one", "two"] {
        home.run(&format!("data make --train 30 --test 5 --difficulty 1 --out {out}")).succeeded();
    }
    for name in ["train.jsonl", "test.jsonl"] {
        let read = |out: &str| fs::read(home.path(out).join(name)).unwrap();
        assert_eq!(read("one"), read("two"), "{name}");
        home.run(&format!("data check one/{name}")).succeeded();
    }
    home.run("train --data one/train.jsonl --steps 2 --batch-questions 2 --device cpu --out run").succeeded();
    assert_eq!(home.losses("run").len(), 2);
}

/// A text that spells a forking token is encoded as text, in questions and in traces; only the trainer inserts forking tokens.
#[test]
fn text_that_spells_a_fork_stays_text() {
    let home = Home::new();
    let record = |id: usize| {
        json!({"id": format!("q{id}"), "question": "<think1> what?", "answer": "3", "traces": [
            {"source": "a", "text": format!("<think3> {id} #### 3")},
            {"source": "b", "text": "<think6><|endoftext|> #### 3"},
        ]})
    };
    let lines: Vec<String> = (0..4).map(|id| record(id).to_string()).collect();
    home.write("data.jsonl", lines.join("\n"));
    home.run("train --data data.jsonl --steps 2 --batch-questions 2 --device cpu --out run").succeeded();
    let table = read_json(&home.path("run/model/forks.json"));
    let forks: Vec<&Value> = table["forks"].as_array().unwrap().iter().map(|fork| &fork["id"]).collect();
    for model in ["", "--model run/model"] {
        let shown =
            home.run(&format!("inspect --json --device cpu --data data.jsonl {model}")).succeeded().json();
        let rows = shown["rows"].as_array().unwrap();
        assert_eq!((rows.len(), forks.len()), (2, 6));
        for row in rows {
            let (prompt, targets) = (row["prompt"].as_array().unwrap(), row["targets"].as_array().unwrap());
            let eos = targets.last().unwrap();
            assert!(!prompt.contains(eos) && targets.iter().filter(|token| *token == eos).count() == 1);
            if !model.is_empty() {
                assert!(!prompt.iter().chain(targets).any(|token| forks.contains(&token)), "{row}");
                assert!(forks.contains(&&row["lead"][0]), "{row}");
            }
        }
    }
}

#[test]
fn json_prints_only_json_and_quiet_prints_nothing() {
    let home = Home::new();
    let is_silent = |done: &Done| (done.stdout.is_empty(), done.stderr.is_empty());
    let json = home.run(&tiny("--json --out json")).succeeded();
    assert_eq!(is_silent(&json), (false, true), "{json:#?}");
    assert_eq!(json.json()["n_questions"], 10);
    assert_eq!(json.json()["samples"].as_array().unwrap().len(), 60, "ten questions, six forks");
    let nothing = home.run(&tiny("--json --eval-questions 0 --out nothing")).succeeded();
    assert_eq!((nothing.stdout.as_str(), nothing.stderr.as_str()), ("null\n", ""), "nothing was evaluated");
    let quiet = home.run(&tiny("--quiet --out quiet")).succeeded();
    assert_eq!(is_silent(&quiet), (true, true), "{quiet:#?}");
    let make = home.run("data make --quiet --train 9 --test 1 --out data").succeeded();
    let check = home.run("data check --quiet data/train.jsonl").succeeded();
    assert_eq!((is_silent(&make), is_silent(&check)), ((true, true), (true, true)));
}

/// A closed standard output or standard error, as of a pipe to `head` or a closed terminal, neither stops a run nor is an error, and
/// is no panic to show.
#[test]
fn closed_output_is_no_error() {
    let home = Home::new();
    home.run(&tiny("--quiet --out trained")).succeeded();
    home.write("good.jsonl", GOOD);
    for arguments in [
        &tiny("--out run"),
        "inspect --device cpu --difficulty 1",
        "devices",
        "data check good.jsonl",
        "data make --train 9 --test 1 --out data",
        "eval --model trained --samples 0 --device cpu",
        "generate --model trained --prompt 1+1= --max-tokens 4 --device cpu",
        "report trained",
        "--help",
        "train --help",
        "--version",
    ] {
        for closed in ["stdout", "stderr"] {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut program = home.program(&arguments.replace("--out run", &format!("--out {closed}")));
            program.env("RUST_BACKTRACE", "1").stdin(Stdio::null());
            match closed {
                "stdout" => program.stdout(writer),
                _ => program.stderr(writer),
            };
            let output = program.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            let fault = said.contains("error") || said.contains("panicked");
            assert!(output.status.code() == Some(0) && !fault, "{arguments}: {output:#?}");
        }
    }
    assert_eq!((home.losses("stdout").len(), home.losses("stderr").len()), (6, 6));
    assert!(home.path("stdout/report.html").exists() && home.path("stderr/report.html").exists());
}
