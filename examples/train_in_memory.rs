//! Training by library calls: ten steps on one question with two traces, without files.
//!
//! `cargo run --release --example train_in_memory`

use anyhow::Result;
use ssft_wgpu::data::dataset::{Limits, parse_records};
use ssft_wgpu::data::{encode::Encoder, forks::ForkLead, template::Template, tokenizer::Tokenizer};
use ssft_wgpu::model::{Decoder, DecoderConfig, config::Preset};
use ssft_wgpu::train::schedule::{Schedule, Shape};
use ssft_wgpu::train::{AdamWSettings, Matching, Method, Settings, Trainer};

/// A record as on a line of a data file.
const QUESTION: &str = r#"{"id":"q1","question":"12+35=","traces":[
    {"source":"ones first","text":"2+5=7;1+3=4 #### 47"},{"source":"tens first","text":"10+30=40;40+2+5=47 #### 47"}]}"#;

fn main() -> Result<()> {
    let records = parse_records("QUESTION", QUESTION.replace('\n', " ").as_bytes(), &Limits::default())?;
    let encoder = Encoder::new(Tokenizer::bytes(3)?, Template::plain(), &ForkLead::bare(), 128)?;
    let data = encoder.encode_all(&records)?;

    let shape = DecoderConfig::preset(Preset::Demo, encoder.tokenizer().vocab_size());
    let model = Decoder::init(&shape, 1, &burn::tensor::Device::flex().autodiff());
    let settings = Settings {
        method: Method::Ssft,
        match_tokens: 8,
        matching: Matching::Lazy,
        batch_questions: 1,
        accumulate: 1,
        memory_budget: 1 << 30,
        schedule: Schedule { peak: 3e-3, warmup_steps: 2, steps: 10, shape: Shape::Constant },
        adamw: AdamWSettings { weight_decay: 0.0, ..AdamWSettings::default() },
        seed: 1,
    };
    let leads = (0..3).map(|fork| encoder.lead(fork)).collect();
    let mut trainer = Trainer::new(model, leads, &data, settings);
    let start = std::time::Instant::now();
    for _ in 0..10 {
        let report = pollster::block_on(trainer.step(&data, &|| start.elapsed().as_secs_f64() * 1e3))?;
        println!("step {:>2}  loss {:.4}  forks {:?}", report.step, report.loss, report.matches[0].forks);
    }
    Ok(())
}
