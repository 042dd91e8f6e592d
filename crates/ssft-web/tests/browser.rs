//! Tests of the session in a browser, compared with the figures of the native program:
//! `WASM_BINDGEN_TEST_TIMEOUT=900 wasm-pack test --headless --chrome --profile web`.
//!
//! A browser without WebGPU fails: skipping its tests would hide that they did not run.

#![cfg(all(target_family = "wasm", target_os = "unknown"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is how a test fails")]

mod shared;

use burn::tensor::Device;
use futures_util::future::join;
use js_sys::{Array, Error, Function, Object, Reflect, Uint8Array};
use serde_json::{Value, json};
use shared::{EXPECTED, Figures, answers, compare_answers, compare_steps, demo, steps};
use ssft_web::session::{Session, questions};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_dedicated_worker);

/// Largest relative difference on the CPU: sums are the native ones, split differently.
const CPU: f64 = 1e-4;
/// Largest relative difference on WebGPU: its matrix products add in another order.
const GPU: f64 = 1e-3;

fn expected() -> Figures {
    serde_json::from_str(EXPECTED).unwrap()
}

async fn gpu() -> Device {
    ssft_kernels::browser::open().await.expect("WebGPU").device
}

/// First in the file because tests run from the last to the first, and WebGPU cannot compute after this one.
#[wasm_bindgen_test]
async fn a_lost_device_is_an_error() {
    let session = Session::create(js(json!({"device": "webgpu"}))).await.unwrap();
    session.new_model(js(json!({"preset": "toy", "forks": 4, "context": 128}))).await.unwrap();
    session.start_training(js(json!({"train_questions": 20, "batch_questions": 1}))).await.unwrap();
    session.train_step(JsValue::UNDEFINED).await.unwrap();
    ssft_kernels::browser::open().await.unwrap().handle.destroy();
    let chain = words(session.train_step(JsValue::UNDEFINED).await.unwrap_err());
    assert!(
        chain.join(": ").to_lowercase().contains("lost") || chain.join(": ").contains("destroyed"),
        "{chain:?}"
    );
}

#[wasm_bindgen_test]
async fn every_kernel_equals_its_reference_on_both_devices() {
    ssft_kernels::self_test::self_test(&Device::flex()).await.unwrap();
    ssft_kernels::self_test::self_test(&gpu().await).await.unwrap();
}

#[wasm_bindgen_test]
async fn steps_equal_the_native_ones_on_the_cpu() {
    compare_steps(&steps(&Device::flex()).await, &expected().steps, CPU);
}

#[wasm_bindgen_test]
async fn steps_equal_the_native_ones_on_webgpu() {
    compare_steps(&steps(&gpu().await).await, &expected().steps, GPU);
}

#[wasm_bindgen_test]
async fn decoding_equals_the_native_one_token_for_token() {
    let (answers, token_ids) = answers(&Device::flex(), usize::MAX).await;
    compare_answers(&answers, &expected().answers, CPU);
    assert_eq!(token_ids, expected().token_ids);
}

#[wasm_bindgen_test]
async fn the_first_tokens_of_answers_are_the_native_ones_on_webgpu_too() {
    const FIRST: usize = 12;
    let (answers, _) = answers(&gpu().await, FIRST).await;
    for (found, expected) in answers.iter().flatten().zip(expected().answers.iter().flatten()) {
        assert_eq!(found.tokens, expected.tokens[..FIRST.min(expected.tokens.len())]);
    }
}

#[wasm_bindgen_test]
async fn a_session_loads_a_model_answers_and_exports_files() {
    let session = Session::create(js(json!({"device": "cpu"}))).await.unwrap();
    assert_eq!(value(&session.device().unwrap())["kind"], "cpu");
    let info = value(&session.load_model(object(demo()).into()).await.unwrap());
    assert_eq!(info["forks"]["forks"].as_array().unwrap().len(), 6);
    let asked =
        value(&questions(js(json!({"task": "maze", "train_questions": 1, "eval_questions": 1}))).unwrap());
    let question = asked["test"][0]["question"].as_str().unwrap().to_owned();
    let heard = Array::new();
    let listen = Function::new_with_args("piece", "this.heard.push(piece.text)");
    let listen = bound(&listen, "heard", &heard);
    let options = js(json!({"task": "maze", "forks": 2}));
    let said = value(&session.generate(question.clone(), options, Some(listen)).await.unwrap());
    let text: String = heard.iter().filter_map(|text| text.as_string()).collect();
    assert_eq!(said["forks"][0]["text"], text);
    assert_eq!(said["forks"][0]["fork"], 2);
    assert_eq!(said["vote"]["votes"], 1);
    // The listener ends decoding after one token.
    let enough = Function::new_with_args("piece", "return false");
    let cut = value(&session.generate(question, js(json!({"forks": 1})), Some(enough)).await.unwrap());
    assert_eq!(
        (&cut["forks"][0]["finish"], cut["forks"][0]["tokens"].as_array().unwrap().len()),
        (&json!("cancelled"), 1)
    );
    let files = session.export_model().await.unwrap();
    let names: Vec<String> = Object::keys(&files).iter().filter_map(|name| name.as_string()).collect();
    assert!(
        names.contains(&"model.safetensors".to_owned()) && names.contains(&"forks.json".to_owned()),
        "{names:?}"
    );
    assert!(session.load_model(files.into()).await.is_ok(), "opens what it wrote");
}

#[wasm_bindgen_test]
async fn a_training_continues_from_its_state_and_the_loss_falls() {
    let session = Session::create(js(json!({"device": "cpu"}))).await.unwrap();
    session.new_model(js(json!({"preset": "toy", "forks": 4, "context": 128}))).await.unwrap();
    session
        .start_training(js(json!({"train_questions": 40, "batch_questions": 2, "warmup_steps": 2})))
        .await
        .unwrap();
    let reports = Array::new();
    let listen = bound(&Function::new_with_args("report", "this.reports.push(report)"), "reports", &reports);
    let states = Array::new();
    let keep = bound(&Function::new_with_args("files", "this.states.push(files)"), "states", &states);
    let done = session.train(js(json!({"steps": 20})), Some(listen), Some(keep)).await.unwrap();
    assert_eq!((done, reports.length()), (20, 20));
    let [first, last] = [value(&reports.get(0)), value(&reports.get(19))];
    assert!(last["loss"].as_f64().unwrap() < 0.8 * first["loss"].as_f64().unwrap(), "{first} {last}");
    assert_eq!(first["probe"][0]["costs"].as_array().unwrap().len(), 4);
    assert!(last["probe"].is_null(), "only every fifth");
    let next = value(&session.train_step(JsValue::UNDEFINED).await.unwrap());
    let other = Session::create(js(json!({"device": "cpu"}))).await.unwrap();
    other.load_model(states.get(states.length() - 1)).await.unwrap();
    let resumed = value(&other.train_step(JsValue::UNDEFINED).await.unwrap());
    assert_eq!((&resumed["step"], &resumed["loss"]), (&json!(21), &next["loss"]), "bit for bit");
    let scores = value(&other.evaluate(js(json!({"questions": 2}))).await.unwrap());
    assert_eq!(scores["n_questions"], 2);
    // A training before its first step is saved too, with the type of numbers of its exported model.
    let third = Session::create(js(json!({"device": "cpu"}))).await.unwrap();
    third.load_model(object(demo()).into()).await.unwrap();
    third.start_training(js(json!({"task": "maze", "train_questions": 8}))).await.unwrap();
    let kept = third.export_state().await.unwrap();
    let size =
        |files: &Object| Uint8Array::from(Reflect::get(files, &"model.safetensors".into()).unwrap()).length();
    let exported = size(&third.export_model().await.unwrap());
    assert!(exported < size(&kept), "f16 and f32");
    let info = value(&third.load_model(kept.into()).await.unwrap());
    assert_eq!(
        (&info["training"]["steps_done"], &info["training"]["options"]["task"]),
        (&json!(0), &json!("maze"))
    );
    assert_eq!(size(&third.export_model().await.unwrap()), exported, "f16 again");
    // A step on records of the caller.
    let batch = js(
        json!([{"id": "q", "question": "1+1=", "traces": [{"text": "2 #### 2"}, {"text": "1+1=2 #### 2"}]}]),
    );
    let own = value(&other.train_step(batch).await.unwrap());
    assert_eq!(
        (own["matches"][0]["id"].as_str(), own["matches"][0]["forks"].as_array().unwrap().len()),
        (Some("q"), 2)
    );
}

#[wasm_bindgen_test]
async fn errors_have_a_message_and_a_cause() {
    let session = Session::create(js(json!({"device": "cpu"}))).await.unwrap();
    let chain = words(session.generate("1".to_owned(), JsValue::UNDEFINED, None).await.unwrap_err());
    assert_eq!(chain, ["there is no model yet; call loadModel or newModel first"]);
    let chain = words(session.load_model(JsValue::UNDEFINED).await.unwrap_err());
    assert_eq!(chain, ["loadModel: the files are not an object of Uint8Arrays by file name"]);
    let chain = words(session.load_model(Object::new().into()).await.unwrap_err());
    assert_eq!(chain[0], "the model cannot be opened");
    assert!(chain[1].starts_with("there is no config.json"), "{chain:?}");
    let mut files = demo();
    files.get_mut("model.safetensors").unwrap().truncate(99);
    let chain = words(session.load_model(object(files).into()).await.unwrap_err());
    assert!(chain[1].starts_with("model.safetensors: is damaged"), "{chain:?}");
    let chain = words(session.new_model(js(json!({"preset": "huge"}))).await.unwrap_err());
    assert!(chain[0].starts_with("newModel: preset: unknown variant `huge`"), "{chain:?}");
    let chain = words(session.new_model(js(json!({"forks": 0}))).await.unwrap_err());
    assert_eq!(chain, ["newModel: forks is 0; give 1 to 64"]);
    session.new_model(js(json!({"forks": 2}))).await.unwrap();
    let chain = words(session.generate("1".to_owned(), js(json!({"forks": 2.5})), None).await.unwrap_err());
    assert_eq!(chain, ["generate: forks: give \"all\", \"auto\" or the number of a fork, from 1"]);
    let chain = words(session.evaluate(js(json!({"questions": 0}))).await.unwrap_err());
    assert!(chain[0].starts_with("evaluate: questions is 0; give 1 to"), "{chain:?}");
    let chain = words(session.train_step(JsValue::UNDEFINED).await.unwrap_err());
    assert_eq!(chain, ["no training was started; call startTraining first"]);
    let chain = words(session.start_training(js(json!({}))).await.unwrap_err());
    assert_eq!(chain[0], "the questions cannot be used", "four traces, two forks");
    assert!(chain[1].contains("2 forks"), "{chain:?}");
    session.new_model(js(json!({"forks": 1, "context": 64}))).await.unwrap();
    let lines = r#"{"id":"q","question":"1+1=","traces":[{"text":"2"}]}"#;
    session.start_training(js(json!({"data": lines, "batch_questions": 1}))).await.unwrap();
    let chain = words(session.evaluate(JsValue::UNDEFINED).await.unwrap_err());
    assert!(chain[0].starts_with("this training has no held-out questions"), "{chain:?}");
    let thrower = Function::new_with_args("piece", "throw new Error('enough')");
    let chain =
        words(session.generate("1+1=".to_owned(), JsValue::UNDEFINED, Some(thrower)).await.unwrap_err());
    assert_eq!(chain, ["enough"]);
    // Two calls at once.
    let listen = Function::new_with_args("piece", "return new Promise(done => setTimeout(done, 20))");
    let first = session.generate("1+1=".to_owned(), js(json!({"max_tokens": 3})), Some(listen));
    let second = async { words(session.export_model().await.unwrap_err()) };
    let (first, second) = join(first, second).await;
    assert!(first.is_ok());
    assert_eq!(second, ["the session is busy; await the call before this one"]);
    assert!(
        words(Session::create(js(json!({"device": "tpu"}))).await.err().unwrap())[0]
            .starts_with("create: device: unknown variant")
    );
}

/// `value` as an object of JavaScript.
fn js(value: Value) -> JsValue {
    js_sys::JSON::parse(&value.to_string()).unwrap()
}

fn value(js: &JsValue) -> Value {
    serde_json::from_str(&js_sys::JSON::stringify(js).unwrap().as_string().unwrap()).unwrap()
}

fn object(files: ssft_run::in_memory::NamedBytes) -> Object {
    let all = Object::new();
    for (name, bytes) in files {
        Reflect::set(&all, &name.into(), &Uint8Array::from(bytes.as_slice())).unwrap();
    }
    all
}

/// `function` with `this.{name}` set.
fn bound(function: &Function, name: &str, value: &JsValue) -> Function {
    let this = Object::new();
    Reflect::set(&this, &name.into(), value).unwrap();
    function.bind0(&this)
}

/// Messages of an error and of its causes.
fn words(error: JsValue) -> Vec<String> {
    let mut chain = Vec::new();
    let mut at = error;
    while let Some(error) = at.dyn_ref::<Error>() {
        chain.push(String::from(error.message()));
        at = error.cause();
    }
    chain
}
