//! The figures that the browser is compared with are those of this program, on this machine's CPU and on its adapter.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod shared;

use burn::tensor::Device;
use pollster::block_on;
use shared::{EXPECTED, Figures, answers, compare_answers, compare_steps, demo, steps};
use ssft_model::stored::WEIGHTS_FILE;
use ssft_web::held::{Held, Weights};
use ssft_web::maze::{Drawn, Trail};
use ssft_web::options::{TaskOptions, TrainOptions};

/// Other processors cut and fuse sums differently; three updates carry that on.
const TOLERANCE: f64 = 1e-3;

/// `SSFT_WRITE_EXPECTED=1 cargo test --release -p ssft-web --test native` writes the file anew.
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
fn a_training_that_is_saved_goes_on_as_if_nothing_had_happened() {
    let device = Device::flex();
    let mut whole = Held::fresh(&shared::model(), &device).unwrap();
    whole.train(shared::training()).unwrap();
    let step = |held: &mut Held| {
        let Weights::Learning(course) = &mut held.weights else { panic!("in training") };
        serde_json::to_value(block_on(course.step(None, false)).unwrap()).unwrap()["loss"].clone()
    };
    let again = |held: &Held| {
        let mut saved = ssft_web::held::NamedBytes::new();
        for (name, content) in held.state_files().unwrap() {
            let mut bytes = Vec::new();
            block_on(content.write(&mut bytes)).unwrap();
            saved.insert(name, bytes);
        }
        Held::load(saved, &device, |_| Ok(())).unwrap()
    };
    let mut begun = again(&whole);
    assert_eq!(step(&mut begun), step(&mut whole), "saved before its first step");
    let mut resumed = again(&whole);
    assert_eq!(step(&mut resumed), step(&mut whole));
    assert_eq!(step(&mut resumed), step(&mut whole));
}

#[test]
fn what_is_no_model_is_refused_by_name() {
    let load =
        |files| Held::load(files, &Device::flex(), |_| Ok(())).err().map(|error| chain(&error)).unwrap();
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
fn options_out_of_range_are_named() {
    let refused = |change: fn(&mut TrainOptions)| {
        let mut options = shared::training();
        change(&mut options);
        chain(&options.check().unwrap_err())
    };
    assert_eq!(refused(|options| options.steps = 0), "startTraining: steps is 0; give 1 to 1048576");
    assert_eq!(refused(|options| options.lr = f64::NAN), "startTraining: lr is NaN; give a number above 0");
    assert_eq!(refused(|options| options.clip_norm = -1.0), "startTraining: clip_norm is -1; give 0 or more");
    let none = TaskOptions { train_questions: 0, ..TaskOptions::default() };
    let words = none.make("questions").err().map(|error| chain(&error));
    assert_eq!(words.as_deref(), Some("questions: train_questions is 0; give 1 to 1048576"));
}

#[test]
fn chats_are_not_joined_without_roles() {
    let mut held = Held::fresh(&shared::model(), &Device::flex()).unwrap();
    let data = r#"{"id":"q","messages":[{"role":"user","content":"1+1="}],"traces":[{"text":"2"}]}"#;
    let refused = held.train(TrainOptions { data: Some(data.to_owned()), ..shared::training() });
    let words = chain(&refused.unwrap_err());
    assert!(words.contains("has no chat template, but there are chats"), "{words}");
}

#[test]
fn a_trail_goes_from_start_to_goal() {
    let options = TaskOptions { task: "maze".to_owned(), eval_questions: 1, ..TaskOptions::default() };
    let record = &options.make("questions").unwrap().test[0];
    let question = record.question.clone().unwrap();
    let maze = serde_json::to_value(Drawn::new(&question)).unwrap();
    for trace in &record.traces {
        let trail = serde_json::to_value(Trail::new(&question, &trace.text)).unwrap();
        let path = trail["path"].as_array().unwrap();
        assert_eq!((path.first(), path.last()), (Some(&maze["start"]), Some(&maze["goal"])));
        // Before the claim there is none, and the search is there all the same.
        let (search, _) = trace.text.split_once(" ####").unwrap();
        let part = serde_json::to_value(Trail::new(&question, search)).unwrap();
        assert_eq!((&part["path"], &part["log"]), (&serde_json::Value::Null, &trail["log"]));
    }
    assert!(Drawn::new("12+35=").is_none());
}
