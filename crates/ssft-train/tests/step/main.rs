//! A training step from outside: what it must and must not depend on.

mod arms;
mod lazy;
mod saved;
mod set_loss;
mod trained;

use burn::tensor::Device;
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_model::checkpoint::{NamedTensor, load};
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use ssft_model::{Precision, StoredTensors, TensorFile};
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::{AdamWSettings, Matching, Method, Settings, StepReport, Trainer};

const FORKS: usize = 4;

fn shape() -> DecoderConfig {
    DecoderConfig {
        hidden_size: 16,
        intermediate_size: 24,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 4,
        ..DecoderConfig::preset(Preset::Tiny, 40)
    }
}

fn model() -> Decoder {
    Decoder::init(&shape(), 3, &Device::flex().autodiff())
}

fn leads(forks: usize) -> Vec<Vec<u32>> {
    (0..forks).map(|fork| vec![30 + fork as u32]).collect()
}

fn question(id: &str, prompt: &[u32], traces: &[&[u32]]) -> EncodedQuestion {
    let trace = |(index, tokens): (usize, &&[u32])| EncodedTrace {
        source: format!("s{index}"),
        tokens: tokens.to_vec(),
    };
    EncodedQuestion {
        id: id.into(),
        prompt: prompt.to_vec(),
        traces: traces.iter().enumerate().map(trace).collect(),
        answer: None,
    }
}

fn questions() -> Vec<EncodedQuestion> {
    vec![
        question("a", &[1, 2, 3], &[&[4, 5, 6, 0], &[7, 8, 0], &[9, 4, 4, 4, 4, 0]]),
        question("b", &[2], &[&[6, 0], &[5, 5, 0]]),
        question("c", &[3, 1, 1, 2, 9], &[&[4, 9, 0], &[8, 8, 8, 0], &[5, 0]]),
        question("d", &[9, 9], &[&[7, 0], &[6, 6, 6, 0], &[1, 2, 3, 0]]),
    ]
}

fn settings(method: Method, batch_questions: usize, accumulate: usize) -> Settings {
    Settings {
        method,
        match_tokens: 3,
        matching: Matching::Full,
        batch_questions,
        accumulate,
        memory_budget: 1 << 30,
        schedule: Schedule { peak: 1e-2, warmup_steps: 2, steps: 20, shape: Shape::Cosine },
        adamw: AdamWSettings { weight_decay: 0.1, ..AdamWSettings::default() },
        seed: 5,
    }
}

fn trainer(method: Method, batch_questions: usize, accumulate: usize) -> Trainer {
    Trainer::new(model(), leads(FORKS), &questions(), settings(method, batch_questions, accumulate))
}

fn step(trainer: &mut Trainer, data: &[EncodedQuestion]) -> StepReport {
    pollster::block_on(trainer.step(data, &|| 0.0)).expect("a step")
}

/// Losses of some steps on [`questions`].
fn run(trainer: &mut Trainer, steps: usize) -> Vec<f64> {
    let data = questions();
    (0..steps).map(|_| step(trainer, &data).loss).collect()
}

fn weights_of(model: &Decoder) -> Vec<NamedTensor> {
    pollster::block_on(TensorFile::of_model(model, Precision::F32).read()).expect("readback")
}

/// A model of [`shape`] with these weights.
fn with_weights(weights: &[NamedTensor], device: &Device) -> Decoder {
    let stored = StoredTensors::of_host(weights).expect("tensors");
    load(&shape(), &stored, None, device).expect("fits")
}
