//! The same run on the CPU and on whatever adapter wgpu sees (in CI a software one): the same losses, the same matching.
//!
//! A machine without any adapter fails here. It does not skip: a suite that is green because nothing ran is worse.

use burn::tensor::Device;
use ssft_data::encode::{EncodedQuestion, EncodedTrace};
use ssft_kernels::adapters::adapters;
use ssft_model::{Decoder, DecoderConfig, config::Preset};
use ssft_train::optimizer::AdamWSettings;
use ssft_train::schedule::{Schedule, Shape};
use ssft_train::step::Settings;
use ssft_train::{Method, StepReport, Trainer};

/// Two questions of one shape: every new kernel is compiled first, which takes a software adapter long.
fn questions() -> Vec<EncodedQuestion> {
    let trace =
        |source: &str, tokens: [u32; 4]| EncodedTrace { source: source.into(), tokens: tokens.to_vec() };
    let question = |id: &str, prompt: [u32; 3], traces: [EncodedTrace; 2]| EncodedQuestion {
        id: id.into(),
        prompt: prompt.to_vec(),
        traces: traces.to_vec(),
        answer: None,
    };
    vec![
        question("a", [1, 2, 3], [trace("x", [4, 5, 6, 0]), trace("y", [7, 8, 9, 0])]),
        question("b", [3, 2, 1], [trace("y", [8, 8, 5, 0]), trace("x", [4, 4, 4, 0])]),
    ]
}

fn run(device: &Device, steps: usize) -> Vec<StepReport> {
    let shape = DecoderConfig {
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 1,
        num_attention_heads: 2,
        num_key_value_heads: 2,
        head_dim: 8,
        ..DecoderConfig::preset(Preset::Tiny, 16)
    };
    let settings = Settings {
        method: Method::Ssft,
        match_tokens: 4,
        batch_questions: 2,
        accumulate: 1,
        schedule: Schedule { peak: 1e-2, warmup_steps: 2, steps: 20, shape: Shape::Constant },
        adamw: AdamWSettings { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weight_decay: 0.1, clip_norm: 1.0 },
        seed: 5,
    };
    let data = questions();
    let model = Decoder::init(&shape, 3, &device.clone().autodiff());
    let mut trainer = Trainer::new(model, vec![vec![10], vec![11], vec![12]], &data, settings);
    (0..steps).map(|_| pollster::block_on(trainer.step(&data, &|| 0.0)).expect("a step")).collect()
}

/// Both devices round every sum in f32, in different orders: a relative 1e-7 of a loss of about 3, which eight steps of
/// AdamW (whose division makes much of small gradients) carry on. Seen: 7e-7 after eight steps.
const TOLERANCE: f64 = 2e-5;

#[test]
fn the_adapter_gives_the_losses_of_the_cpu() {
    let adapters = pollster::block_on(adapters());
    let adapter =
        adapters.first().expect("no graphics adapter; `cargo xtask setup` installs a software one on Debian");
    let device = pollster::block_on(adapter.start()).expect("the adapter starts");
    let (cpu, gpu) = (run(&Device::flex(), 8), run(&device, 8));
    assert!(cpu[7].loss < cpu[0].loss - 0.3, "the run has to learn for its curve to mean anything");
    for (cpu, gpu) in cpu.iter().zip(&gpu) {
        let step = cpu.step;
        println!("step {step}: {} on the CPU, {} on {}", cpu.loss, gpu.loss, adapter.describe());
        assert!((cpu.loss - gpu.loss).abs() < TOLERANCE, "step {step}: {} against {}", cpu.loss, gpu.loss);
        assert_eq!(cpu.matches, gpu.matches, "step {step}");
    }
}
