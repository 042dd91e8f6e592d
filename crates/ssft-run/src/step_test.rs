//! Self-test of a device: two training steps and two answers, compared with the CPU.

use crate::error::RunError;
use crate::model_text::ModelText;
use burn::tensor::Device;
use ssft_data::record::{Record, Trace};
use ssft_decode::answer::Judge;
use ssft_decode::format::AnswerFormat;
use ssft_decode::generation::{Request, generate};
use ssft_decode::sample::Sampling;
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::{AdamWSettings, Matching, Method, Settings, Trainer};
use std::ops::ControlFlow;

const FORKS: usize = 3;
const FIGURES: [&str; 5] = [
    "the loss",
    "the gradient norm",
    "the loss after an update",
    "an answer's log-probability",
    "another answer's log-probability",
];

/// Far more than rounding moves any of the figures. Each operation alone has been compared before, by
/// `ssft_kernels::self_test`; this is for what they come to together.
const TOLERANCE: f64 = 1e-3;

/// Compares `device` with the CPU.
///
/// # Errors
/// [`RunError::Failed`] names the first figure that differs.
pub async fn step_test(device: &Device) -> Result<(), RunError> {
    let ((ours, said), (expected, right)) = (figures(device).await?, figures(&Device::flex()).await?);
    for ((what, ours), expected) in FIGURES.into_iter().zip(ours).zip(expected) {
        if !ours.is_finite() || (ours - expected).abs() > TOLERANCE * expected.abs() {
            return Err(RunError::failed(format!("{what} is {ours}, on the CPU {expected}")));
        }
    }
    if said != right {
        return Err(RunError::failed(format!("tokens are {said:?}, on the CPU {right:?}")));
    }
    Ok(())
}

/// The figures, and the tokens of both answers.
async fn figures(device: &Device) -> Result<([f64; 5], Vec<Vec<u32>>), RunError> {
    let encoder = ModelText::bytes(FORKS, 64)?.encoder;
    let data = encoder.encode_all(&records()).map_err(RunError::data)?;
    let shape = DecoderConfig {
        num_key_value_heads: 1,
        num_hidden_layers: 2,
        ..DecoderConfig::preset(Preset::Toy, encoder.tokenizer().vocab_size())
    };
    let model = Decoder::init(&shape, 1, &device.clone().autodiff());
    let leads = (0..FORKS).map(|fork| encoder.lead(fork)).collect();
    let mut trainer = Trainer::new(model, leads, &data, settings());
    let first = trainer.step(&data, &|| 0.0).await?;
    let second = trainer.step(&data, &|| 0.0).await?;
    let request = Request {
        prompt: "12+35=".to_owned(),
        forks: vec![0, 2],
        sampling: Sampling::GREEDY,
        stop: Vec::new(),
        max_tokens: 5,
        judge: Judge::Reference(AnswerFormat::Exact),
        seed: 1,
    };
    let prompt = encoder.prompt_text("the self-test", &request.prompt).map_err(RunError::data)?;
    let listen = async |_: ssft_decode::fork::Piece<'_>| ControlFlow::Continue(());
    let said = generate(&trainer.for_reading(), &encoder, prompt, &request, listen).await?;
    let [one, other] = [0, 1].map(|answer| said.forks[answer].logprob);
    let figures = [first.loss, first.grad_norm, second.loss, one, other];
    Ok((figures, said.forks.into_iter().map(|fork| fork.tokens).collect()))
}

fn records() -> Vec<Record> {
    let record = |id: &str, question: &str, traces: &[&str]| Record {
        id: id.to_owned(),
        question: Some(question.to_owned()),
        messages: None,
        traces: traces.iter().map(|text| Trace { source: String::new(), text: (*text).to_owned() }).collect(),
        answer: None,
    };
    vec![
        record("a", "12+35=", &["2+5=7;1+3=4 #### 47", "10+30=40 #### 47"]),
        record("b", "9+8=", &["9+8=17 #### 17", "10+8-1 #### 17", "8+9 #### 17"]),
    ]
}

fn settings() -> Settings {
    Settings {
        method: Method::Ssft,
        match_tokens: 6,
        matching: Matching::Full,
        batch_questions: 2,
        accumulate: 1,
        memory_budget: 64 << 20,
        schedule: Schedule { peak: 1e-3, warmup_steps: 0, steps: 2, shape: Shape::Constant },
        adamw: AdamWSettings::default(),
        seed: 1,
    }
}
