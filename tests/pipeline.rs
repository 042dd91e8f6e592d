//! Tests of a whole run, from arguments to files, for each of the four methods.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{Home, assert_model_is_whole, names, read_json, tiny};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;

/// Keys of every line of `metrics.jsonl`.
const KEYS: [&str; 11] = [
    "step",
    "epoch",
    "loss",
    "lr",
    "grad_norm",
    "tokens",
    "tokens_per_s",
    "ms_cost",
    "ms_match",
    "ms_train",
    "matches",
];

/// Forks of each question of a step, one for each trace, from 1.
fn forks(line: &Value) -> Vec<Vec<u64>> {
    let forks = |matched: &Value| serde_json::from_value(matched["forks"].clone()).expect("forks");
    line["matches"].as_array().expect("matches").iter().map(forks).collect()
}

fn are_different(forks: &[u64]) -> bool {
    forks.iter().collect::<BTreeSet<_>>().len() == forks.len()
}

#[test]
fn every_method_leaves_a_whole_run() {
    /// True if the method may match the traces of a question with these forks.
    type Rule = fn(&[u64]) -> bool;
    let methods: [(&str, Rule); 4] = [
        ("sft", |forks| forks == [1]),
        ("sft-mixed", |forks| forks == [1, 1, 1, 1]),
        ("ssft-random", |forks| forks.len() == 4 && are_different(forks)),
        ("ssft", |forks| forks.len() == 4 && are_different(forks)),
    ];
    let home = Home::new();
    for (method, may_be) in methods {
        let done =
            home.run(&tiny(&format!("--method {method} --save-every 1 --keep 3 --out {method}"))).succeeded();
        assert!(done.stderr.contains("step 6/6  loss ") && done.stdout.contains("native Cons@"), "{done:#?}");
        let run = home.path(method);
        assert_eq!(
            names(&run),
            [".lock", "checkpoints", "config.toml", "eval.json", "metrics.jsonl", "model", "report.html"],
            "{method}"
        );
        assert_eq!(names(&run.join("checkpoints")), ["step-4", "step-5", "step-6"], "{method}");
        for model in ["model", "checkpoints/step-4", "checkpoints/step-5", "checkpoints/step-6"] {
            assert_model_is_whole(&run.join(model));
        }
        let lines = home.metrics(method);
        assert_eq!(lines.len(), 6);
        for (line, step) in lines.iter().zip(1..) {
            assert_eq!(line["step"], step);
            assert!(KEYS.iter().all(|key| !line[key].is_null()), "{line}");
            assert_eq!(forks(line).len(), 2, "two questions a step");
            assert!(forks(line).iter().all(|forks| may_be(forks)), "{method}: {line}");
        }
        let table = read_json(&run.join("model/forks.json"));
        assert_eq!(table["forks"].as_array().map(Vec::len), Some(6));
        assert!(
            !table["chosen_fork"].is_null() && !table["coverage"]["sources"].as_array().unwrap().is_empty()
        );
    }
}

#[test]
fn the_report_is_one_file_that_opens_offline() {
    let home = Home::new();
    home.run(&tiny("--out run")).succeeded();
    let html = fs::read_to_string(home.path("run/report.html")).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<polyline"), "{html}");
    for outside in ["http://", "https://", "src=", "href=", "@import", "url(", "<script"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

/// Reports contain generated text and questions of users.
#[test]
fn the_report_escapes_html() {
    let home = Home::new();
    let line = |id: usize| {
        let trace = r#"{"source":"a","text":"<b>bold</b> #### 1"}"#;
        format!(
            r#"{{"id":"q{id}","question":"<script>alert({id})</script>","traces":[{trace}],"answer":"1"}}"#
        )
    };
    home.write("data.jsonl", (0..20).map(line).collect::<Vec<_>>().join("\n"));
    home.run("train --data data.jsonl --steps 2 --batch-questions 2 --device cpu --out run").succeeded();
    let html = fs::read_to_string(home.path("run/report.html")).unwrap();
    assert!(html.contains("&lt;script&gt;alert(") && !html.contains("<script"), "{html}");
}

#[test]
fn the_loss_falls() {
    let home = Home::new();
    home.run(&tiny("--steps 60 --warmup-steps 5 --eval-questions 0 --save-every 0 --out run")).succeeded();
    let losses = home.losses("run");
    let mean = |steps: &[(u64, f64)]| steps.iter().map(|(_, loss)| loss).sum::<f64>() / steps.len() as f64;
    let (first, last) = (mean(&losses[..5]), mean(&losses[55..]));
    assert!(losses.len() == 60 && last < 0.5 * first, "from {first} to {last}");
    assert_eq!(names(&home.path("run/checkpoints")), ["step-60"], "--save-every 0 saves at the end alone");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let home = Home::new();
    for (run, seed) in [("one", 5), ("two", 5), ("other", 6)] {
        home.run(&tiny(&format!("--seed {seed} --eval-every 2 --out {run}"))).succeeded();
    }
    home.run("train --config one/config.toml --quiet --out repeated").succeeded();
    for same in ["two", "repeated"] {
        assert_eq!(home.losses("one"), home.losses(same), "{same}");
        assert!(home.weights("one") == home.weights(same), "{same}: other weights");
        let evaluations =
            |run: &str| home.metrics(run).iter().map(|line| line["eval"].clone()).collect::<Vec<_>>();
        assert_eq!(evaluations("one"), evaluations(same));
        assert_eq!(
            evaluations(same).iter().filter(|evaluation| evaluation.is_object()).count(),
            2,
            "after 2 and 4"
        );
    }
    assert_ne!(home.losses("one"), home.losses("other"));
    assert!(home.weights("one") != home.weights("other"));
}

#[test]
fn config_names_the_origin_of_every_value() {
    let home = Home::new();
    home.write("mine.toml", "lr = 0.001\nclip-norm = 0.5\n");
    home.run(&tiny("--config mine.toml --clip-norm 2 --steps 1 --eval-questions 0 --out run")).succeeded();
    let text = fs::read_to_string(home.path("run/config.toml")).unwrap();
    let value_and_origin = |key: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap_or_default();
        let words: Vec<&str> = line.split([' ', '=', '#']).filter(|word| !word.is_empty()).collect();
        // Without the key.
        words[1..].join(" ")
    };
    assert_eq!(value_and_origin("lr"), "0.001 file");
    assert_eq!(value_and_origin("clip-norm"), "2.0 flag");
    assert_eq!(value_and_origin("steps"), "1 flag");
    assert_eq!(value_and_origin("forks"), "6 default");
}

#[test]
fn epochs_become_steps() {
    let home = Home::new();
    let epoch = tiny("--train-questions 7 --eval-questions 0 --accumulate 2 --epochs 1 --out run")
        .replace("--steps 6", "");
    home.run(&epoch).succeeded();
    let lines = home.metrics("run");
    assert_eq!(lines.len(), 2, "seven questions, four a step");
    assert!(lines[1]["epoch"].as_f64().unwrap() >= 1.0);
}

#[test]
fn a_run_can_start_from_a_trained_model() {
    let home = Home::new();
    home.run(&tiny("--steps 40 --warmup-steps 5 --eval-questions 0 --save-every 0 --out first")).succeeded();
    home.run(&tiny("--model first/model --lr 0.001 --eval-questions 0 --out second")).succeeded();
    let (first, second) = (home.losses("first"), home.losses("second"));
    let (start, end, on) = (first[0].1, first[39].1, second[0].1);
    assert_eq!(second[0].0, 1, "a new run counts its own steps");
    assert!(on < 0.5 * (start + end), "starts at {on}, where the first went from {start} to {end}");
    let same = ["config.json", "tokenizer.json", "tokenizer_config.json"];
    for name in same {
        let read = |run: &str| fs::read(home.path(run).join("model").join(name)).unwrap();
        assert!(read("first") == read("second"), "{name}");
    }
}

/// The number of forks is the model's. Regression: config.toml had the default number, and the run could not be resumed.
#[test]
fn a_model_brings_its_own_number_of_forks() {
    let home = Home::new();
    home.run(&tiny("--forks 4 --steps 1 --eval-questions 0 --out first")).succeeded();
    home.run(&tiny("--model first/model --steps 1 --eval-questions 0 --out second")).succeeded();
    home.run("train --resume --out second --steps 2").succeeded();
    assert_eq!(home.losses("second").len(), 2);
    let fewer = home.run(&tiny("--model first/model --forks 3 --out third"));
    let says = "first/model: the model has 4 forking tokens, more than the 3 of --forks; leave out --forks to use them all";
    assert!(fewer.refusal().contains(says), "{fewer:#?}");
    let more =
        home.run(&tiny("--model first/model --forks 5 --steps 1 --eval-questions 0 --out fifth")).succeeded();
    let says =
        "forks    1 new token, each starting near <|im_start|>; the vocabulary grows from 263 to 264 rows";
    assert!(more.stderr.contains(says), "{more:#?}");
    let traces: Vec<String> = (0..5).map(|n| format!(r#"{{"source":"{n}","text":"{n}"}}"#)).collect();
    home.write("five.jsonl", format!(r#"{{"id":"q","question":"n?","traces":[{}]}}"#, traces.join(",")));
    let five = home.run("train --data five.jsonl --steps 1 --device cpu --model first/model --out fourth");
    assert!(five.refusal().contains("5 traces but only 4 forks"), "found before training: {five:#?}");
}
