//! Tests of the session's parts on the native CPU, among them the figures that browsers are compared with.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod shared;

use burn::tensor::Device;
use pollster::block_on;
use serde_json::json;
use shared::{EXPECTED, Figures, answers, compare_answers, compare_steps, demo, steps};
use ssft_model::stored::WEIGHTS_FILE;
use ssft_run::in_memory::{ModelInMemory, NamedBytes, Weights};
use ssft_run::{RunError, TrainOptions};
use ssft_web::maze::{Drawn, Trail};

/// Largest relative difference between processors, which split and fuse sums differently, after three updates.
const TOLERANCE: f64 = 1e-3;

/// `SSFT_WRITE_EXPECTED=1 cargo test --release -p ssft-web --test native` overwrites the expected figures.
#[test]
fn expectations_are_what_this_program_computes() {
    let (all, token_ids) = block_on(answers(&Device::flex(), usize::MAX));
    let found = Figures { steps: block_on(steps(&Device::flex())), answers: all, token_ids };
    if std::env::var_os("SSFT_WRITE_EXPECTED").is_some() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/expected.json");
        return std::fs::write(path, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let expected: Figures = serde_json::from_str(EXPECTED).unwrap();
    compare_steps(&found.steps, &expected.steps, TOLERANCE);
    compare_answers(&found.answers, &expected.answers, TOLERANCE);
    assert_eq!(found.token_ids, expected.token_ids);
}

#[test]
fn a_training_continues_from_its_saved_state_bit_for_bit() {
    let device = Device::flex();
    let mut whole = ModelInMemory::fresh(&shared::model(), &device).unwrap();
    whole.train(shared::training()).unwrap();
    let step = |held: &mut ModelInMemory| {
        let Weights::Learning(learning) = &mut held.weights else { panic!("in training") };
        block_on(learning.course.step(&|| 0.0)).unwrap().loss
    };
    let again = |held: &ModelInMemory| {
        let mut saved = NamedBytes::new();
        for (name, content) in held.state_files().unwrap() {
            let mut bytes = Vec::new();
            block_on(content.write(&mut bytes)).unwrap();
            saved.insert(name, bytes);
        }
        ModelInMemory::load(saved, &device, |_| Ok::<_, RunError>(())).unwrap()
    };
    let mut begun = again(&whole);
    assert_eq!(step(&mut begun), step(&mut whole), "saved before its first step");
    let mut resumed = again(&whole);
    assert_eq!(step(&mut resumed), step(&mut whole));
    assert_eq!(step(&mut resumed), step(&mut whole));
}

#[test]
fn a_missing_or_damaged_file_of_a_model_is_named() {
    let load = |files| {
        ModelInMemory::load(files, &Device::flex(), |_| Ok::<_, RunError>(()))
            .err()
            .map(|error| chain(&error))
            .unwrap()
    };
    let mut files = demo();
    files.remove(WEIGHTS_FILE);
    assert!(load(files).contains("model.safetensors: is not there; choose all files"));
    let mut files = demo();
    files.get_mut(WEIGHTS_FILE).unwrap().truncate(1000);
    assert!(load(files).contains("model.safetensors: is damaged or no safetensors file"));
    let mut files = demo();
    files.insert("config.json".to_owned(), b"{".to_vec());
    assert!(load(files).contains("config.json: not JSON"));
    assert!(load(Default::default()).contains("there is no config.json"));
}

fn chain(error: &dyn std::error::Error) -> String {
    let source = error.source().map(|source| format!(": {}", chain(source)));
    format!("{error}{}", source.unwrap_or_default())
}

#[test]
fn chats_are_not_joined_without_roles() {
    let mut held = ModelInMemory::fresh(&shared::model(), &Device::flex()).unwrap();
    let data = r#"{"id":"q","messages":[{"role":"user","content":"1+1="}],"traces":[{"text":"2"}]}"#;
    let refused = held.train(TrainOptions { data: Some(data.to_owned()), ..shared::training() });
    let words = chain(&refused.unwrap_err());
    assert!(words.contains("has no chat template, but there are chats"), "{words}");
}

#[test]
fn a_trail_goes_from_start_to_goal() {
    let options = TrainOptions::read(json!({"task": "maze", "eval_questions": 1})).unwrap();
    let record = &options.split().unwrap().held_out[0];
    let question = record.question.clone().unwrap();
    let maze = serde_json::to_value(Drawn::new(&question)).unwrap();
    for trace in &record.traces {
        let trail = serde_json::to_value(Trail::new(&question, &trace.text)).unwrap();
        let path = trail["path"].as_array().unwrap();
        assert_eq!((path.first(), path.last()), (Some(&maze["start"]), Some(&maze["goal"])));
        // A text without its answer has no path, but has the search.
        let (search, _) = trace.text.split_once(" ####").unwrap();
        let part = serde_json::to_value(Trail::new(&question, search)).unwrap();
        assert_eq!((&part["path"], &part["log"]), (&serde_json::Value::Null, &trail["log"]));
    }
    assert!(Drawn::new("12+35=").is_none());
}
