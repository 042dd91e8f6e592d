//! Tests of the commands for a trained model: `eval`, `generate`, `report`.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use common::{Home, names, read_json, tiny};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;

/// A home with a tiny run of each method in `methods`; the directory of a run has the name of its method.
fn trained(methods: &[&str]) -> Home {
    let home = Home::new();
    for method in methods {
        home.run(&tiny(&format!("--method {method} --steps 30 --quiet --out {method}"))).succeeded();
    }
    home
}

fn samples(evaluation: &Value, greedy: bool) -> Vec<&Value> {
    evaluation["samples"].as_array().unwrap().iter().filter(|sample| sample["greedy"] == greedy).collect()
}

#[test]
fn every_figure_of_an_evaluation_follows_from_its_samples() {
    let home = trained(&["ssft"]);
    let done =
        home.run("eval --model ssft --samples 2 --k 1,4,12 --device cpu --json out/eval.json").succeeded();
    let file = read_json(&home.path("out/eval.json"));
    for key in [
        "model",
        "task",
        "n_questions",
        "forks",
        "chosen_fork",
        "pass_at_k",
        "cons_at_k",
        "native_cons_at_n",
        "distinct_answers",
        "distinct_strategies",
        "mutual_information",
        "agreement",
        "ci95",
        "sampling",
        "seed",
    ] {
        assert!(!file[key].is_null(), "{key}");
    }
    assert_eq!(
        (&file["n_questions"], &file["task"], &file["difficulty"]),
        (&json!(10), &json!("arithmetic"), &json!(1))
    );
    let (drawn, greedy) = (samples(&file, false), samples(&file, true));
    assert_eq!((drawn.len(), greedy.len()), (10 * 6 * 2, 10 * 6));
    let right = |samples: &[&Value]| samples.iter().filter(|sample| sample["correct"] == true).count() as f64;
    for fork in file["forks"].as_array().unwrap() {
        let ours: Vec<&Value> =
            drawn.iter().copied().filter(|sample| sample["fork"] == fork["fork"]).collect();
        assert_eq!(fork["pass_at_1"].as_f64().unwrap(), right(&ours) / ours.len() as f64);
    }
    assert!((file["pass_at_k"]["1"].as_f64().unwrap() - right(&drawn) / drawn.len() as f64).abs() < 1e-12);
    let mut answered: BTreeMap<&str, bool> = BTreeMap::new();
    for sample in &drawn {
        *answered.entry(sample["id"].as_str().unwrap()).or_default() |= sample["correct"] == true;
    }
    let some = answered.values().filter(|&&right| right).count() as f64 / 10.0;
    assert!((file["pass_at_k"]["12"].as_f64().unwrap() - some).abs() < 1e-12, "all samples are drawn");
    let table: Vec<&str> = done.stdout.lines().collect();
    assert!(table[0].starts_with("10 held-out questions, 2 drawn answers a fork"), "{done:#?}");
    for part in ["<think6>", "Pass@12", "Cons@4", "native Cons@6", "I(fork; strategy), bits", "same answer"] {
        assert!(done.stdout.contains(part), "{part}: {done:#?}");
    }
    assert_eq!(names(&home.path("out")), ["eval.json"], "no unfinished file is left");
}

#[test]
fn evaluations_repeat_and_do_not_depend_on_the_batch() {
    let home = trained(&["ssft"]);
    let eval = |name: &str, flags: &str| {
        home.run(&format!("eval --model ssft/model --samples 1 --quiet --device cpu {flags} --json {name}"))
            .succeeded();
        let mut file = read_json(&home.path(name));
        file["samples"].take()
    };
    let once = eval("once", "");
    assert_eq!(once, eval("again", "--rows 1"));
    assert_ne!(once, eval("other", "--seed 2"));
    let greedy = eval("greedy", "--temperature 0");
    assert_eq!(greedy.as_array().unwrap().len(), 60, "no draws at a temperature of 0");
    // The final evaluation of training has greedy answers only.
    assert_eq!(greedy, read_json(&home.path("ssft/eval.json"))["samples"]);
}

#[test]
fn forks_that_training_never_used_are_not_asked() {
    let home = trained(&["sft"]);
    let done = home.run("eval --model sft --samples 3 --device cpu --json eval.json").succeeded();
    assert!(done.stderr.contains("forks    training never used 5 of 6; they are not asked"), "{done:#?}");
    let file = read_json(&home.path("eval.json"));
    assert_eq!(file["forks"].as_array().unwrap().len(), 1);
    assert_eq!(samples(&file, false).len(), 30);
    let generated = home.run("generate --model sft --prompt 12+35= --json --device cpu").succeeded().json();
    assert_eq!(generated["forks"].as_array().unwrap().len(), 1);
}

#[test]
fn answers_to_a_file_are_judged_in_the_given_form() {
    let home = Home::new();
    let line = |n: usize| {
        json!({"id": format!("q{n}"), "question": format!("{n}?"), "answer": "1,000.0",
            "traces": [{"source": "a", "text": "so it is 1000"}, {"source": "b", "text": "1000"}]})
        .to_string()
    };
    home.write("data.jsonl", (0..30).map(line).collect::<Vec<_>>().join("\n"));
    let steps = "--steps 80 --warmup-steps 5 --batch-questions 4 --lr 0.01 --device cpu";
    home.run(&format!(
        "train --data data.jsonl --answers numeric --eval-questions 3 {steps} --quiet --out run"
    ))
    .succeeded();
    let held_out = read_json(&home.path("run/eval.json"));
    assert_eq!(
        (&held_out["n_questions"], &held_out["native_cons_at_n"]),
        (&json!(3), &json!(1.0)),
        "{held_out}"
    );
    assert_eq!(held_out["distinct_strategies"], Value::Null, "data without a task has no strategies");
    let eval = |flags: &str| {
        let done = home.run(&format!(
            "eval --model run --data data.jsonl --samples 0 --device cpu {flags} --json e.json"
        ));
        done.succeeded();
        read_json(&home.path("e.json"))["any_correct"].as_f64().unwrap()
    };
    assert_eq!((eval("--answers numeric"), eval("--answers exact")), (1.0, 0.0));
    assert_eq!(eval(""), 1.0, "in the form of the run");
    let generated = home.run("generate --model run --prompt 5? --json --device cpu").succeeded().json();
    assert_eq!(generated["vote"]["answer"], json!("1000"), "in the form of the run");
}

#[test]
fn generate_shows_every_fork_and_the_vote() {
    let home = trained(&["ssft"]);
    let model = "generate --model ssft --prompt 12+35= --device cpu --max-tokens 30";
    let done = home.run(model).succeeded();
    let (mut forks, vote): (Vec<&str>, Vec<&str>) =
        done.stdout.lines().partition(|line| line.starts_with("<think"));
    forks.sort_unstable();
    let named: Vec<&str> = forks.iter().map(|line| &line[..8]).collect();
    assert_eq!(named, ["<think1>", "<think2>", "<think3>", "<think4>", "<think5>", "<think6>"], "{done:#?}");
    assert!(vote.len() == 1 && vote[0].starts_with("vote      "), "{done:#?}");
    assert_eq!(done.stderr, "");

    let machine = home.run(&format!("{model} --json")).succeeded().json();
    assert_eq!(
        (&machine["prompt"], machine["prompt_tokens"].as_array().map(Vec::len)),
        (&json!("12+35="), Some(6))
    );
    for fork in machine["forks"].as_array().unwrap() {
        assert!(fork["tokens"].as_array().unwrap().len() <= 30 && fork["logprob"].as_f64().unwrap() < 0.0);
        assert!(["eos", "length"].contains(&fork["finish"].as_str().unwrap()), "{fork}");
        let line = format!("<think{}>  {}", fork["fork"], fork["text"].as_str().unwrap());
        assert!(forks.contains(&line.trim_end()), "{line} in {forks:?}");
    }
    home.write("g.toml", "model = \"ssft\"\nprompt = \"12+35=\"\nmax-tokens = 5\ndevice = \"cpu\"\n");
    let from_file = home.run("generate --config g.toml --max-tokens 30 --json").succeeded().json();
    assert_eq!(from_file, machine, "flags win over the file");
    let one = home.run(&format!("{model} --fork 2")).succeeded();
    assert_eq!(one.stdout.trim_end(), machine["forks"][1]["text"].as_str().unwrap().trim_end(), "text alone");
    let chosen = read_json(&home.path("ssft/model/forks.json"))["chosen_fork"].clone();
    let auto = home.run(&format!("{model} --fork auto --json")).succeeded().json();
    assert_eq!(auto["forks"][0]["fork"], chosen);

    let whole = machine["forks"][1]["text"].as_str().unwrap();
    let stop = whole.trim_end().chars().last().expect("an answer");
    let stopped = home.run(&format!("{model} --json --fork 2 --stop {stop}")).succeeded().json();
    let (before, _) = whole.split_once(stop).unwrap();
    assert_eq!(
        (&stopped["forks"][0]["text"], &stopped["forks"][0]["finish"]),
        (&json!(before), &json!("stop"))
    );
    let drawn = |seed: usize| {
        home.run(&format!("{model} --json --temperature 1 --seed {seed}")).succeeded().json()["forks"].take()
    };
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

/// Regression: the lines of the growing forks were cleared after the result was printed, which erased the result.
#[cfg(unix)]
#[test]
fn the_final_texts_stay_on_a_terminal() {
    let home = trained(&["ssft"]);
    let program = home.program("generate --model ssft --prompt 12+35= --device cpu --max-tokens 20");
    let words = std::iter::once(program.get_program()).chain(program.get_args());
    let mut python = std::process::Command::new("python3");
    python.current_dir(home.path("")).args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]).args(words);
    let shown = common::Done::of(python, "generate on a terminal").succeeded().stdout;
    let (grown, left) = shown.rsplit_once("\u{1b}[2K").expect("lines that were cleared");
    assert!(grown.contains("<think6>"), "{shown:?}");
    let lines: Vec<&str> = left.lines().map(|line| line.split("  ").next().unwrap_or_default()).collect();
    let forks = (1..=6).map(|fork| format!("<think{fork}>"));
    assert_eq!(lines, forks.chain(["vote".to_owned()]).collect::<Vec<_>>(), "{shown:?}");
}

#[test]
fn a_run_and_a_checkpoint_are_accepted_as_a_model() {
    let home = trained(&["ssft"]);
    let generate = |place: &str| {
        home.run(&format!("generate --model {place} --prompt 12+35= --json --device cpu")).succeeded().stdout
    };
    let run = generate("ssft");
    for place in ["ssft/model", "ssft/checkpoints/step-30"] {
        assert_eq!(generate(place), run, "{place}");
    }
    fs::remove_dir_all(home.path("ssft/model")).unwrap();
    assert_eq!(generate("ssft"), run, "the newest checkpoint");
}

#[test]
fn arguments_that_cannot_be_used_are_refused() {
    let home = trained(&["ssft"]);
    fs::create_dir_all(home.path("alone")).unwrap();
    for name in names(&home.path("ssft/model")) {
        fs::copy(home.path("ssft/model").join(&name), home.path("alone").join(&name)).unwrap();
    }
    home.write("silent.jsonl", r#"{"id":"q","question":"x","traces":[{"source":"a","text":"b"}]}"#);
    home.write("begun/config.toml", "");
    home.write("begun/.lock", "");
    #[rustfmt::skip]
    let cases = [
        ("eval --model nowhere", "nowhere: there is no config.json; give the directory of a Hugging Face model"),
        ("eval --model alone", "the model has no run directory with held-out questions; give --task or --data"),
        ("eval --model begun", "begun: the run has neither a model nor a checkpoint yet; let it go on"),
        ("eval --model ssft --fork 7", "--fork: fork 7 does not exist; the model has 6"),
        ("eval --model ssft --fork best", "\"best\" names no fork; give all, auto or a number from 1"),
        ("eval --model ssft --temperature -1", "--temperature is -1; give 0 to 100"),
        ("eval --model ssft --top-p 0", "--top-p is 0; give more than 0, at most 1"),
        ("eval --model ssft --k 25", "--k is 25, but 6 forks x 4 answers are 24; give 1 to 24, or more --samples"),
        ("eval --model ssft --temperature 0 --k 12", "give 1 to 6, or a --temperature above 0"),
        ("eval --model ssft --questions 11", "--questions is 11, but there are 10; give at most that"),
        ("eval --model ssft --questions 0", "--questions is 0; give 1 to"),
        ("eval --model ssft --data silent.jsonl", "silent.jsonl: question q has no answer to compare with; add one"),
        ("eval --model ssft --task chess", "there is no task \"chess\""),
        ("generate --model ssft --prompt x --max-tokens 0", "--max-tokens is 0; give 1 to"),
        ("generate --model ssft --prompt x --min-p 1", "--min-p is 1; give 0 or more, below 1"),
        ("eval --config missing.toml", "missing.toml: cannot be read"),
        ("eval --model ssft --json ssft", "ssft is a directory; name a file"),
        ("eval --model ssft --json ssft/config.toml/e.json", "ssft/config.toml is no directory; name a file"),
        ("report ssft --json ssft", "ssft is a directory; name a file"),
        ("report nowhere", "nowhere holds no run; give the directory of a run"),
        ("report ssft ssft", "several runs are compared in one page; give its name as --out"),
        ("report ssft ssft --out page.html", "ssft and ssft are both ssft with seed 1; give one of them"),
        ("eval --model ssft --samples 9999999999", "--samples is 9999999999; give 0 to"),
        ("eval --model ssft --samples 1048576 --device cpu", "--samples is 1048576: the answers of 6 forks to a question take "),
    ];
    for (arguments, says) in cases {
        let done = home.run(arguments);
        assert!(done.refusal().contains(says), "{done:#?}");
    }
    let mut empty = home.program("generate --model ssft --stop");
    empty.args(["", "--prompt", "x"]);
    let done = common::Done::of(empty, "--stop ''");
    assert_eq!(done.refusal(), "--stop is empty; give the text that ends an answer");
    let mut silent = home.program("generate --model ssft --prompt");
    silent.arg("");
    let done = common::Done::of(silent, "--prompt ''");
    assert_eq!(done.refusal(), "--prompt is empty; give a question");
}

#[test]
fn runs_are_compared_arm_by_arm() {
    let home = trained(&["sft-mixed", "ssft"]);
    for (run, samples) in [("sft-mixed", 6), ("ssft", 1)] {
        home.run(&format!(
            "eval --model {run} --samples {samples} --k 1,6 --quiet --device cpu --json {run}/eval.json"
        ))
        .succeeded();
    }
    let done = home.run("report sft-mixed ssft --out all/page.html --json all/summary.json").succeeded();
    assert_eq!(done.stdout.lines().next(), Some("all/page.html"));
    for part in [
        "| arithmetic, difficulty 1",
        "sft-mixed (1 seed)",
        "sft-mixed less ssft",
        "| Cons@6 ",
        "| matching kept ",
    ] {
        assert!(done.stdout.contains(part), "{part}: {done:#?}");
    }
    let summary = read_json(&home.path("all/summary.json"));
    let cons = |run: usize| summary["runs"][run]["evaluation"]["cons_at_k"]["6"].as_f64().unwrap();
    let comparison = &summary["comparisons"][0];
    let labels = comparison["measures"].as_array().unwrap();
    let at = labels.iter().position(|label| label[0] == "Cons@6").unwrap();
    assert_eq!(comparison["arms"][1]["figures"][at]["mean"].as_f64(), Some(cons(1)));
    let less = comparison["arms"][0]["less_ssft"][at]["mean"].as_f64().unwrap();
    assert!((less - (cons(0) - cons(1))).abs() < 1e-12);
    assert!(summary["runs"][0]["evaluation"]["samples"].is_null(), "no texts");
    // The report of one run is written again, with its new evaluation.
    home.run("report ssft").succeeded();
    for page in ["all/page.html", "ssft/report.html"] {
        let html = fs::read_to_string(home.path(page)).unwrap();
        assert!(html.starts_with("<!doctype html>") && html.contains("<svg"), "{page}");
        for outside in ["http://", "https://", "src=", "href=", "@import", "url(", "<script"] {
            assert!(!html.contains(outside), "{page}: {outside}");
        }
    }
    let own = fs::read_to_string(home.path("ssft/report.html")).unwrap();
    assert!(own.contains("1 drawn answer a fork"), "{own}");
}

#[test]
fn cost_matrices_are_logged_during_the_run() {
    let home = trained(&["ssft"]);
    let lines = home.metrics("ssft");
    let probed: Vec<u64> = lines
        .iter()
        .filter(|line| line["probe"].is_array())
        .map(|line| line["step"].as_u64().unwrap())
        .collect();
    assert_eq!(probed[0], 1);
    assert_eq!((probed.last(), probed.len()), (Some(&30), 11), "{probed:?}");
    for probe in lines[29]["probe"].as_array().unwrap() {
        let costs: Vec<Vec<f64>> = serde_json::from_value(probe["costs"].clone()).unwrap();
        let forks: Vec<usize> = serde_json::from_value(probe["forks"].clone()).unwrap();
        let total = |forks: &[usize]| {
            forks.iter().enumerate().map(|(trace, fork)| costs[fork - 1][trace]).sum::<f64>()
        };
        // The matching is optimal: neither an unused fork nor an exchange of two forks makes it cheaper.
        for a in 0..4 {
            for fork in (1..=6).filter(|fork| !forks.contains(fork)) {
                let mut other = forks.clone();
                other[a] = fork;
                assert!(total(&forks) <= total(&other) + 1e-9);
            }
            for b in 0..a {
                let mut other = forks.clone();
                other.swap(a, b);
                assert!(total(&forks) <= total(&other) + 1e-9);
            }
        }
    }
    let html = fs::read_to_string(home.path("ssft/report.html")).unwrap();
    assert_eq!(html.matches("<figure><svg").count(), 3 * 11, "three questions");
    assert_eq!(html.matches("class=\"ring\"").count(), 3 * 11 * 4, "four matched traces each");
}

/// Regression: runs were found by the names of their directories, and a run was shown with the answers of another one.
#[test]
fn runs_with_the_same_directory_name_are_distinct_and_unlike_runs_are_refused() {
    let home = Home::new();
    home.run(&tiny("--quiet --out a/run")).succeeded();
    home.run(&tiny("--quiet --task maze --out b/run")).succeeded();
    home.run("report a/run b/run --out both.html").succeeded();
    let html = fs::read_to_string(home.path("both.html")).unwrap();
    let maze = &html[html.find("<h2>maze, difficulty 1").unwrap()..];
    let question = read_json(&home.path("b/run/eval.json"))["samples"][0]["question"].clone();
    assert!(maze.contains(question.as_str().unwrap()), "{maze}");
    home.run(&tiny("--quiet --seed 2 --steps 7 --out c/run")).succeeded();
    let mixed = home.run("report a/run c/run --out both.html");
    assert!(
        mixed.refusal().contains(
            "differ in steps; compare runs that differ in method, forks, match-tokens and seed alone"
        ),
        "{mixed:#?}"
    );
    home.run("eval --model a/run --task maze --questions 5 --samples 0 --quiet --device cpu --json a/run/eval.json").succeeded();
    let foreign = home.run("report a/run");
    assert!(foreign.refusal().starts_with("a/run/eval.json is of another task than the run"), "{foreign:#?}");
}
