//! The core of SSFT: one question, its N x M costs under a model, and the optimal matching of its traces to forks.
//!
//! `cargo run --release --example match_traces [MODEL_DIR]`; without `MODEL_DIR` the model has random weights.

use anyhow::{Context, Result};
use ssft_wgpu::data::{encode::Encoder, forks::ForkLead, forks::fork_name};
use ssft_wgpu::data::{template::Template, tokenizer::Tokenizer};
use ssft_wgpu::model::{Decoder, DecoderConfig, config::Preset};
use ssft_wgpu::run::{QuestionForm, Rendering, encoding, store::ModelDirectory};
use ssft_wgpu::tasks::{TaskSpec, by_name};
use ssft_wgpu::train::{Assignment, CostEvaluator};

fn main() -> Result<()> {
    let device = burn::tensor::Device::flex();
    let (model, encoder) = match std::env::args().nth(1) {
        Some(directory) => {
            let place = ModelDirectory::read(directory.as_ref())?;
            place.side.forks.as_ref().context("the model has no forks.json: train it first")?;
            let rendering = Rendering::of_model(&place.side);
            let (encoder, _) = encoding::of_model(&place.side, &rendering, QuestionForm::Text)?;
            (place.load(&device)?.model, encoder)
        }
        None => {
            let tokenizer = Tokenizer::bytes(6)?;
            let shape = DecoderConfig::preset(Preset::Tiny, tokenizer.vocab_size());
            let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), 512)?;
            (Decoder::init(&shape, 1, &device), encoder)
        }
    };
    let leads: Vec<Vec<u32>> =
        (0..encoder.tokenizer().forks().len()).map(|fork| encoder.lead(fork)).collect();

    let task = by_name("arithmetic").context("a built-in task")?;
    let record = &task.make(&TaskSpec { train: 1, test: 1, difficulty: 1, seed: 1 })?.train[0];
    let question = encoder.encode(record)?;
    let costs = pollster::block_on(CostEvaluator::new(&model, &leads, 8).cost_matrix(&question))?;
    let matching = Assignment::optimal(&costs)?;
    println!("{}", record.question.as_deref().unwrap_or_default());
    for (trace, fork) in record.traces.iter().zip(matching.forks) {
        println!("{}  {:<6} {}", fork_name(fork), trace.source, trace.text);
    }
    Ok(())
}
