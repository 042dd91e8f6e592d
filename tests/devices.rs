//! The same run on the CPU and on the adapter that wgpu sees: hardware, or in CI a software one.
//!
//! A machine without any adapter fails here; a suite that is green because nothing ran is worse.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod common;

use burn::tensor::Device;
use common::{Done, Home, names};
use serde_json::{Value, json};
use ssft_wgpu::data::encode::Encoder;
use ssft_wgpu::data::forks::{CoverageGraph, ForkLead, ForkTable};
use ssft_wgpu::data::template::Template;
use ssft_wgpu::data::tokenizer::Tokenizer;
use ssft_wgpu::kernels::adapters::adapters;
use ssft_wgpu::model::config::Preset;
use ssft_wgpu::model::directory::Carried;
use ssft_wgpu::model::{Decoder, DecoderConfig, Precision};
use ssft_wgpu::train::directory::model_files;

const FORKS: usize = 3;
/// Of a loss. Both devices round every sum in f32, in different orders: 1e-7. AdamW divides by the root of the second
/// moment, so where a gradient is near 0 its rounding decides a step of the learning rate; from there the weights, and
/// with them the losses, drift apart. On lavapipe it came to 2e-6 in 60 steps; hardware may round exp and sqrt coarser.
const TOLERANCE: f64 = 1e-4;

/// Far smaller than any preset, and every question of one shape: a software adapter compiles for minutes otherwise.
fn write_model(home: &Home) {
    let tokenizer = Tokenizer::bytes(FORKS).unwrap();
    let shape = DecoderConfig {
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 2,
        head_dim: 8,
        ..DecoderConfig::preset(Preset::Tiny, tokenizer.vocab_size())
    };
    let forks = ForkTable::new(tokenizer.forks(), ForkLead::bare(), CoverageGraph::new(FORKS));
    let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), 512).unwrap();
    let model = Decoder::init(&shape, 1, &Device::flex());
    let files = model_files(&model, &encoder, &forks, &Carried::default(), Precision::F32).unwrap();
    for (name, content) in files {
        let mut bytes = Vec::new();
        pollster::block_on(content.write(&mut bytes)).unwrap();
        home.write(&format!("model/{name}"), bytes);
    }
}

fn write_data(home: &Home) {
    let record = |n: usize| {
        let trace = |source: &str, text: String| json!({"source": source, "text": text});
        let traces = [trace("up", format!("{n:02}+1 #### 7")), trace("down", format!("1+{n:02} #### 7"))];
        json!({"id": format!("q{n:02}"), "question": format!("{n:02}?"), "traces": traces, "answer": "7"})
            .to_string()
    };
    home.write("data.jsonl", (10..30).map(record).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_adapter_gives_the_run_of_the_cpu() {
    let adapters = pollster::block_on(adapters());
    let adapter = adapters.first().expect("no graphics adapter; `cargo xtask setup` installs a software one");
    let home = Home::new();
    write_model(&home);
    write_data(&home);
    let train = |device: &str| {
        let flags = "--data data.jsonl --model model --eval-questions 1 --batch-questions 2 --match-tokens 4";
        let steps = "--steps 60 --warmup-steps 5 --lr 0.02";
        home.run(&format!("train {flags} {steps} --device {device} --out {device}")).succeeded()
    };
    let (cpu, wgpu) = (train("cpu"), train("wgpu"));
    assert!(wgpu.stderr.starts_with(&format!("device   {}\n", adapter.describe())), "{wgpu:#?}");
    println!("{}", wgpu.stdout);
    // The tables of the evaluation quote the answers; a greedy choice between equals is not to be expected.
    assert_eq!(cpu.stdout, wgpu.stdout, "other answers");
    let (cpu, wgpu) = (home.metrics("cpu"), home.metrics("wgpu"));
    assert_eq!((cpu.len(), wgpu.len()), (60, 60));
    for (cpu, wgpu) in cpu.iter().zip(&wgpu) {
        let loss = |line: &Value| line["loss"].as_f64().unwrap();
        let apart = (loss(cpu) - loss(wgpu)).abs() / loss(cpu);
        println!("step {}: {:.6}, {apart:.1e} apart", cpu["step"], loss(cpu));
        assert!(apart < TOLERANCE, "{cpu} against {wgpu}");
        assert_eq!(cpu["matches"], wgpu["matches"], "step {}", cpu["step"]);
    }
}

#[test]
fn wgpu_without_an_adapter_is_refused() {
    let home = Home::new();
    let arguments = "train --device wgpu --out run";
    let mut program = home.program(arguments);
    // The names that the Vulkan loader knows for the list of drivers, now and formerly.
    program.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
    let done = Done::of(program, arguments);
    assert!(
        done.refusal().starts_with("no graphics adapter was found; install a Vulkan driver"),
        "{done:#?}"
    );
    assert!(names(&home.path("")).is_empty());
}
