//! WGSL that CubeCL generates for other machines, and its results.
//!
//! CubeCL generates the WGSL of matrix products, sums and copies from the properties of an adapter: type, features, limits and
//! subgroup sizes. A Mac or a graphics card therefore gets other texts than the software adapter of these tests. Here the
//! software adapter reports two other sets of properties: the minimum that WebGPU guarantees, and those of a card with
//! subgroups of 32 and all features of the driver (64-bit integers, atomic additions of floats). With both, losses, gradient
//! norms and answers have to equal the CPU's, and every text has to translate to SPIR-V, MSL and HLSL. `tests/devices.rs`
//! compares whole runs, with updates.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]
#![allow(unsafe_code, reason = "wgpu offers changed adapters only through wgpu-hal")]

#[path = "common/languages.rs"]
mod languages;

use burn::cubecl::dry_run::DryRun;
use burn::tensor::wgpu::WgpuSetup;
use burn::tensor::{Device, Tensor};
use languages::Shader;
use naga::valid::Capabilities;
use ssft_wgpu::bench::{Arm, Bench, Lengths, Workload};
use ssft_wgpu::data::tokenizer::Tokenizer;
use ssft_wgpu::decode::fork::{Question, RowStart, Settings};
use ssft_wgpu::decode::sample::{Sampling, row_generator};
use ssft_wgpu::kernels::{Forest, Node};
use ssft_wgpu::model::config::Preset;
use ssft_wgpu::model::family::Family;
use ssft_wgpu::model::{Decoder, DecoderConfig};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::Mutex;
use wgpu::hal::{self, Instance as _};

const FORKS: usize = 3;
/// Relative difference of a loss or a gradient norm in two steps. `tests/devices.rs` explains the rounding.
const TOLERANCE: f64 = 1e-5;

/// Records the texts that CubeCL gives to wgpu, by the names that CubeCL gives them.
struct Recorder(Mutex<BTreeMap<String, String>>);

static RECORDER: Recorder = Recorder(Mutex::new(BTreeMap::new()));

impl log::Log for Recorder {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("cubecl_wgpu")
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = record.args().to_string();
        let Some((_, rest)) = line.split_once("compiling WGSL module `") else { return };
        let (name, text) = rest.split_once("`\n").expect("a name and a text");
        let mut texts = self.0.lock().unwrap();
        let number = texts.len();
        texts.insert(format!("{name} ({number})"), text.to_owned());
    }

    fn flush(&self) {}
}

/// The software adapter, or without one the first adapter, with changed properties, as a device of burn.
fn disguised(change: impl FnOnce(&mut hal::ExposedAdapter<hal::api::Vulkan>)) -> Device {
    let descriptor = wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let instance = wgpu::Instance::new(descriptor);
    // SAFETY: the adapter comes from this instance. Features and limits are only lowered, and wgpu does not use the type and
    // the subgroup sizes.
    let adapter = unsafe {
        let vulkan = instance.as_hal::<hal::api::Vulkan>().expect("Vulkan");
        let mut found = vulkan.enumerate_adapters(None);
        let is_software = |one: &hal::ExposedAdapter<_>| one.info.device_type == wgpu::DeviceType::Cpu;
        assert!(!found.is_empty(), "no graphics adapter; `cargo xtask setup` installs a software one");
        // On a machine with a card, `cargo xtask setup` installs no software adapter.
        let at = found.iter().position(is_software).unwrap_or(0);
        let mut exposed = found.swap_remove(at);
        change(&mut exposed);
        instance.create_adapter_from_hal(exposed)
    };
    let request = wgpu::DeviceDescriptor {
        required_features: adapter.features().difference(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
        required_limits: adapter.limits(),
        // SAFETY: CubeCL does the same; `features` can contain experimental ones.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..wgpu::DeviceDescriptor::default()
    };
    let (device, queue) = pollster::block_on(adapter.request_device(&request)).unwrap();
    let setup = WgpuSetup { instance, adapter, device, queue, backend: wgpu::Backend::Vulkan };
    Device::wgpu_options().setup(setup).init().unwrap()
}

/// An adapter with no optional feature, and WebGPU's default limits.
fn minimal() -> Device {
    disguised(|adapter| {
        adapter.info.device_type = wgpu::DeviceType::IntegratedGpu;
        adapter.features = wgpu::Features::empty();
        adapter.capabilities.limits = wgpu::Limits::default();
    })
}

/// An adapter with all features and limits of the driver, and subgroups of 32. The real subgroups are smaller. If CubeCL used
/// subgroups, the results would be wrong and the test would fail.
fn discrete_gpu() -> Device {
    disguised(|adapter| {
        assert!(adapter.features.contains(wgpu::Features::SUBGROUP), "a driver with subgroups");
        adapter.info.device_type = wgpu::DeviceType::DiscreteGpu;
        (adapter.info.subgroup_min_size, adapter.info.subgroup_max_size) = (32, 32);
    })
}

/// Llama with grouped queries, Qwen2 with biases and untied embeddings, Qwen3 with norms of queries and keys.
fn shapes(vocab: usize) -> [DecoderConfig; 3] {
    let llama = DecoderConfig {
        hidden_size: 24,
        intermediate_size: 40,
        num_hidden_layers: 1,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 6,
        max_position_embeddings: 64,
        ..DecoderConfig::preset(Preset::Tiny, vocab)
    };
    let qwen2 = DecoderConfig { family: Family::Qwen2, tie_word_embeddings: false, ..llama.clone() };
    let qwen3 = DecoderConfig { family: Family::Qwen3, ..llama.clone() };
    [llama, qwen2, qwen3]
}

/// Losses and gradient norms of training steps of every arm, and answers of all forks, sampled and greedy.
fn work(device: &Device) -> (Vec<f64>, Vec<String>) {
    let tokenizer = Tokenizer::bytes(FORKS).unwrap();
    let lengths = Lengths { questions: 2, forks: FORKS, traces: 2, prompt: 7, trace: 9, match_tokens: 4 };
    let (mut numbers, mut texts) = (Vec::new(), Vec::new());
    for shape in shapes(tokenizer.vocab_size()) {
        let workload = Workload::random(&shape, lengths, 64 << 20, 1, device);
        for arm in [Arm::SsftRandom, Arm::SsftFull, Arm::SsftLazy] {
            let bench = Bench::new(&workload, arm, device);
            for _ in 0..2 {
                bench.step();
                let report = bench.medians(1).unwrap();
                numbers.extend([report.loss, report.grad_norm]);
            }
        }
        let model = Decoder::init(&shape, 2, device).prepared();
        for sampling in [Sampling::GREEDY, Sampling::PAPER] {
            texts.extend(answers(&model, &tokenizer, sampling));
        }
    }
    (numbers, texts)
}

fn answers(model: &Decoder, tokenizer: &Tokenizer, sampling: Sampling) -> Vec<String> {
    let row = |(fork, &token): (usize, &u32)| RowStart {
        lead: vec![token],
        rng: row_generator(1, 0, fork as u32, 0),
    };
    let rows = tokenizer.forks().iter().enumerate().map(row).collect();
    let questions = [Question { prompt: tokenizer.encode_text("12+35=").unwrap(), rows }];
    let settings = Settings { sampling, eos: Vec::new(), stop: Vec::new(), max_tokens: 12 };
    let listen = async |_: ssft_wgpu::decode::fork::Piece<'_>| ControlFlow::Continue(());
    let decoded = ssft_wgpu::decode::decode(model, tokenizer, &questions, &settings, listen);
    pollster::block_on(decoded).unwrap().concat().into_iter().map(|answer| answer.text).collect()
}

/// Compiles products and attention at the sizes of Qwen2.5-0.5B, for which CubeCL can generate other texts: a batch of tokens,
/// and one token of each of six forks. Nothing is computed.
fn large(plain: &Device) {
    let device = plain.clone().autodiff();
    let _compile_only = DryRun::new();
    for (rows, input, output) in [(1088, 896, 4864), (1088, 4864, 896), (6, 896, 4864), (1, 896, 896)] {
        let tensor = |dims: [usize; 2]| Tensor::<2>::zeros(dims, &device).require_grad();
        let product = ssft_wgpu::kernels::linear(tensor([rows, input]), tensor([output, input]));
        product.sum().backward();
    }
    let node = |parent, length| Node { parent, length, new: length };
    let forest = Forest::new(&[node(None, 33), node(Some(0), 128), node(Some(0), 128)]);
    for head_dim in [64, 128] {
        let tensor = |heads: usize| Tensor::<3>::zeros([289, heads, head_dim], &device).require_grad();
        let mixed = ssft_wgpu::kernels::tree_attention(tensor(14), tensor(2), tensor(2), &forest);
        mixed.sum().backward();
    }
    // CubeCL compiles on a thread of its own.
    plain.sync().unwrap();
}

/// There is one test, because the texts are recorded for the whole process.
#[test]
fn every_text_translates_everywhere_and_computes_what_the_cpu_does() {
    log::set_logger(&RECORDER).unwrap();
    log::set_max_level(log::LevelFilter::Trace);
    let cpu = work(&Device::flex());
    let recorded = || std::mem::take(&mut *RECORDER.0.lock().unwrap());
    assert!(recorded().is_empty(), "the CPU has no shaders");
    let machines = [
        ("minimal", minimal(), Capabilities::empty()),
        ("discrete GPU", discrete_gpu(), Capabilities::all()),
    ];
    let texts = machines.map(|(name, device, capabilities)| {
        assert_equals(name, &work(&device), &cpu);
        large(&device);
        let texts = recorded();
        assert!(texts.keys().any(|kernel| kernel.starts_with("matmul")), "{name}: {:?}", texts.keys());
        for (kernel, text) in &texts {
            let shader = Shader::new(&format!("{name}: {kernel}"), text, capabilities);
            if capabilities.is_empty() {
                shader.assert_within_default_limits();
            }
            shader.assert_translates();
        }
        println!("{name}: {} texts", texts.len());
        texts.into_values().collect::<BTreeSet<String>>()
    });
    // If the texts were equal, the changed properties would have no effect.
    let own = texts[0].symmetric_difference(&texts[1]).count();
    assert!(own > 20, "{own} texts differ");
}

fn assert_equals(name: &str, found: &(Vec<f64>, Vec<String>), cpu: &(Vec<f64>, Vec<String>)) {
    assert_eq!(found.0.len(), cpu.0.len());
    for (at, (found, cpu)) in found.0.iter().zip(&cpu.0).enumerate() {
        let apart = (found - cpu).abs() / cpu;
        assert!(apart < TOLERANCE, "{name}: number {at} is {found}, on the CPU {cpu}");
    }
    assert_eq!(found.1, cpu.1, "{name}: other answers");
}
