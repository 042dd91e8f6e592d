//! Computations that native program and browser both run, and comparison of their results.

use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use ssft_decode::answer::Judge;
use ssft_decode::generation::{Generation, Request, generate};
use ssft_decode::sample::Sampling;
use ssft_model::config::Preset;
use ssft_run::in_memory::{ModelInMemory, NamedBytes, NewModel, Weights};
use ssft_run::settings::Settings;
use ssft_run::{RunError, TrainOptions};
use ssft_tasks::{TaskSpec, by_name};
use ssft_train::probe::Probe;
use std::ops::ControlFlow;

/// Figures of the native program on the CPU, as JSON.
pub const EXPECTED: &str = include_str!("../expected.json");

/// Figures to compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Training steps of a new model.
    pub steps: Vec<Step>,
    /// Answers of the demo model to mazes: `[mazes][forks]`.
    pub answers: Vec<Vec<Answer>>,
    /// Token ids of [`TEXTS`] from the demo model's tokenizer.
    pub token_ids: Vec<Vec<u32>>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    pub loss: f64,
    pub grad_norm: f64,
    pub costs: Vec<Vec<f32>>,
    pub forks: Vec<usize>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    pub tokens: Vec<u32>,
    pub text: String,
    pub logprob: f64,
}

/// Texts with forking tokens, multi-byte characters and white space, where tokenizers may differ.
const TEXTS: [&str; 5] = ["12+35=", "<think3> stays text", "é ü 漢字 🙂", " \n\t ", "abf bcga;as:"];
const MAZES: usize = 2;
const STEPS: usize = 3;

/// Settings of the compared training.
pub fn training() -> TrainOptions {
    let settings = Settings {
        train_questions: 40,
        eval_questions: 4,
        batch_questions: 2,
        steps: Some(100),
        warmup_steps: 0,
        ..TrainOptions::default().settings
    };
    TrainOptions { settings, data: None }
}

/// Shape of the compared model.
pub fn model() -> NewModel {
    NewModel { preset: Preset::Toy, forks: 5, context: 128, seed: 3 }
}

/// First [`STEPS`] steps of a new model.
pub async fn steps(device: &Device) -> Vec<Step> {
    let mut held = ModelInMemory::fresh(&model(), device).expect("a model");
    held.train(training()).expect("a training");
    let Weights::Learning(learning) = &mut held.weights else { panic!("in training") };
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let probe = learning.course.probe_next().await.expect("costs").remove(0);
        let report = learning.course.step(&|| 0.0).await.expect("a step");
        let Probe { costs, forks, .. } = probe;
        steps.push(Step { loss: report.loss, grad_norm: report.grad_norm, costs, forks });
    }
    steps
}

/// Files of the demo model.
pub fn demo() -> NamedBytes {
    macro_rules! files {
        ($($name:literal),+) => {
            [$(($name, include_bytes!(concat!("../../../../web/public/demo/", $name)).as_slice())),+]
        };
    }
    let files = files![
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "generation_config.json",
        "forks.json"
    ];
    files.into_iter().map(|(name, bytes)| (name.to_owned(), bytes.to_vec())).collect()
}

/// Answers of the demo model of at most `most` tokens, and token ids of [`TEXTS`].
pub async fn answers(device: &Device, most: usize) -> (Vec<Vec<Answer>>, Vec<Vec<u32>>) {
    let held = ModelInMemory::load(demo(), device, |_| Ok::<_, RunError>(())).expect("the demo model");
    let task = by_name("maze").expect("a built-in task");
    let made = task.make(&TaskSpec { train: 1, test: MAZES, difficulty: 1, seed: 11 }).expect("mazes");
    let mut all = Vec::new();
    for record in &made.test {
        let request = Request {
            prompt: record.question.clone().unwrap_or_default(),
            forks: (0..6).collect(),
            sampling: Sampling::GREEDY,
            stop: Vec::new(),
            max_tokens: most.min(200),
            judge: Judge::Task(task),
            seed: 1,
        };
        let prompt = held.text.encoder.prompt_text(&record.id, &request.prompt).expect("a prompt");
        let listen = async |_: ssft_decode::fork::Piece<'_>| ControlFlow::Continue(());
        let said: Generation =
            generate(&held.reading(), &held.text.encoder, prompt, &request, listen).await.expect("answers");
        let answer = |fork: ssft_decode::generation::ForkAnswer| Answer {
            tokens: fork.tokens,
            text: fork.text,
            logprob: fork.logprob,
        };
        all.push(said.forks.into_iter().map(answer).collect());
    }
    let ids = |text| held.text.encoder.tokenizer().encode_text(text).expect("tokens");
    (all, TEXTS.into_iter().map(ids).collect())
}

/// Difference of `a` and `b`, relative to `b`.
pub fn apart(a: f64, b: f64) -> f64 {
    (a - b).abs() / b.abs().max(1e-3)
}

/// Compares training steps: matchings exactly, numbers within `tolerance`.
pub fn compare_steps(found: &[Step], expected: &[Step], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (number, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.forks, expected.forks, "step {number}");
        for (what, a, b) in
            [("loss", found.loss, expected.loss), ("norm", found.grad_norm, expected.grad_norm)]
        {
            assert!(apart(a, b) < tolerance, "step {number}: {what} {a}, expected {b}");
        }
        let sizes = |costs: &[Vec<f32>]| costs.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&found.costs), sizes(&expected.costs), "step {number}");
        for (a, b) in found.costs.iter().flatten().zip(expected.costs.iter().flatten()) {
            let apart = apart(f64::from(*a), f64::from(*b));
            assert!(apart < tolerance, "step {number}: cost {a}, expected {b}");
        }
    }
}

/// Compares answers: tokens and texts exactly, log-probabilities within `tolerance`.
///
/// A log-probability is a difference of logits, so it has their absolute rounding error also near 0. Below 1 nat the
/// difference is therefore absolute. Example: -0.00255 and -0.00256 differ by 1e-5.
pub fn compare_answers(found: &[Vec<Answer>], expected: &[Vec<Answer>], tolerance: f64) {
    let sizes = |answers: &[Vec<Answer>]| answers.iter().map(Vec::len).collect::<Vec<_>>();
    assert_eq!(sizes(found), sizes(expected));
    for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
        assert_eq!((&found.tokens, &found.text), (&expected.tokens, &expected.text));
        let apart = (found.logprob - expected.logprob).abs() / expected.logprob.abs().max(1.0);
        assert!(apart < tolerance, "{found:?}, expected {expected:?}");
    }
}
