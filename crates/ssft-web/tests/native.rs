//! The figures that the browser is compared with are those of this program, on this machine's CPU and on its adapter.

#![cfg(not(target_family = "wasm"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod shared;

use burn::tensor::Device;
use pollster::block_on;
use shared::{EXPECTED, Figures, answers, compare_answers, compare_steps, demo, steps};
use ssft_model::stored::WEIGHTS_FILE;
use ssft_web::held::{Held, Weights};

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
    step(&mut whole);
    let mut saved = ssft_web::held::NamedBytes::new();
    for (name, content) in whole.state_files().unwrap() {
        let mut bytes = Vec::new();
        block_on(content.write(&mut bytes)).unwrap();
        saved.insert(name, bytes);
    }
    let mut resumed = Held::load(saved, &device, |_| Ok(())).unwrap();
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
