//! Tests of the same run on the CPU and on the best adapter of wgpu: hardware, or a software adapter (as in CI).
//!
//! A machine without an adapter fails: skipping the test would hide that it did not run.

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
use ssft_wgpu::model::directory::model_files;
use ssft_wgpu::model::{Decoder, DecoderConfig, Precision};

const FORKS: usize = 3;
/// Largest relative difference of a loss. Devices add in different orders, so that sums in f32 differ by about 1e-7. AdamW divides
/// by the root of the second moment: if a gradient is near 0, its rounding decides the sign of a whole step, and weights and
/// losses drift apart. Measured on lavapipe: 2e-6 in 60 steps. Hardware may round exp and sqrt less exactly.
const TOLERANCE: f64 = 1e-4;

/// Writes a model far smaller than any preset, with random weights: a software adapter takes minutes to compile for a larger one.
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

/// Writes questions of one shape, so that few kernels are compiled.
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
fn a_run_on_the_adapter_equals_that_on_the_cpu() {
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
    // The tables of the evaluation have the answers. Rounding changes a greedy answer only if two logits are nearly equal.
    assert_eq!(cpu.stdout, wgpu.stdout, "different answers");
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
    // Present and former name of the Vulkan loader's variable for the list of drivers.
    program.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
    let done = Done::of(program, arguments);
    assert!(
        done.refusal().starts_with("no graphics adapter was found; install a Vulkan driver"),
        "{done:#?}"
    );
    assert!(names(&home.path("")).is_empty());
}
