//! `bench`: time and memory of kernels, steps, decoding and matrix products.

mod steps;

pub use steps::steps;

use super::asking::check_count;
use crate::args::{
    BenchDecodeArgs, BenchKernelsArgs, BenchMatmulArgs, BenchMemoryArgs, MeasuringArgs, ModelShapeArgs,
};
use crate::exit::Failure;
use crate::progress;
use crate::result_file::{check_target, write_result};
use crate::tables;
use crate::voice::Voice;
use indicatif::ProgressBar;
use serde_json::Value;
use ssft_bench::decode::{Lengths, measure};
use ssft_bench::kernel::Kernel;
use ssft_bench::kernels::Plan;
use ssft_bench::room::Room;
use ssft_bench::{Origin, Workload, matmul as matrix_products, memory_growth};
use ssft_data::tokenizer::Tokenizer;
use ssft_model::family::Family;
use ssft_model::{Decoder, DecoderConfig};
use ssft_run::device::NamedDevice;
use ssft_run::settings::MOST_TOKENS;
use std::path::Path;

/// Template of the progress bar. It changes between measurements only, so that drawing does not disturb them.
const BAR: &str = "{bar:24} {pos}/{len}  {msg}";

pub fn kernels(args: &BenchKernelsArgs) -> Result<(), Failure> {
    check(args)?;
    let device = args.measuring.device.open()?;
    let origin = origin(&device);
    let kernels = if args.kernels.is_empty() { Kernel::ALL } else { &args.kernels };
    let plan =
        Plan::new(kernels, [&args.rows, &args.width, &args.vocab], args.measuring.runs, args.measuring.seed);
    let bar = progress::bar(Voice::new(args.measuring.quiet), BAR, Some(plan.cases()));
    let cases = plan.measure(&device, |kernel, shape| next(&bar, format!("{}, {shape}", kernel.name())));
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    let written = report(&args.measuring, &origin, rows, &tables::kernels::table(&cases));
    if !args.measuring.quiet {
        tables::kernels::refusals(&cases).iter().for_each(|line| println!("{line}"));
    }
    written
}

fn check(args: &BenchKernelsArgs) -> Result<(), Failure> {
    if let Some(width) = args.width.iter().find(|width| !width.is_multiple_of(2)) {
        return Err(Failure::Usage(format!("--width is {width}; give even numbers, as rotary turns pairs")));
    }
    check_counts(&[
        ("--rows", &args.rows),
        ("--width", &args.width),
        ("--vocab", &args.vocab),
        ("--runs", &[args.measuring.runs]),
    ])?;
    check_target(args.measuring.json.as_deref())
}

pub fn matmul(args: &BenchMatmulArgs) -> Result<(), Failure> {
    check_counts(&[("--runs", &[args.measuring.runs])])?;
    check_target(args.measuring.json.as_deref())?;
    let device = args.measuring.device.open()?;
    let room = Room::of(&device);
    for shape in &args.shapes {
        if let Some(reason) = shape.refused_by(&room) {
            return Err(Failure::Usage(format!("--shapes {shape}: {reason}")));
        }
    }
    let origin = origin(&device);
    let bar = progress::bar(Voice::new(args.measuring.quiet), BAR, Some(args.shapes.len()));
    let mut cases = Vec::new();
    for &shape in &args.shapes {
        next(&bar, shape.to_string());
        let MeasuringArgs { runs, seed, .. } = args.measuring;
        let case = matrix_products::measure(shape, runs, seed, &device.device);
        cases.push(case.map_err(|error| Failure::Run(format!("{shape}, {error}")))?);
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    report(&args.measuring, &origin, rows, &tables::matmul::table(&cases))
}

/// Sizes of a step of `bench memory`: 4 questions with 4 traces of 96 tokens each.
const GROWTH: ssft_bench::Lengths =
    ssft_bench::Lengths { questions: 4, forks: 6, traces: 4, prompt: 32, trace: 96, match_tokens: 32 };

pub fn memory(args: &BenchMemoryArgs) -> Result<(), Failure> {
    check_counts(&[("--steps", &[args.steps])])?;
    let shape = model_shape(&args.shape, GROWTH.forks)?;
    check_target(args.json.as_deref())?;
    let device = args.device.open()?;
    if device.adapter.is_none() {
        return Err(Failure::Usage("memory is measured on a GPU only; use --device wgpu".to_owned()));
    }
    device.check_fits(&shape)?;
    let origin = origin(&device);
    let budget = (device.memory_budget(&shape) as u64) << 20;
    let workload = Workload::random(&shape, GROWTH, budget, args.seed, &device.device);
    let points = memory_growth::measure(&workload, args.steps, &device.device).map_err(Failure::run)?;
    let rows = memory_growth::rows(&points, shape.parameters(), &origin);
    let table = tables::memory_growth::table(&points);
    write(args.json.as_deref(), Voice::new(args.quiet), &origin, rows, &table)
}

pub fn decode(args: &BenchDecodeArgs) -> Result<(), Failure> {
    check_counts(&[
        ("--forks", &args.forks),
        ("--prompt-tokens", &args.prompt_tokens),
        ("--answer-tokens", &args.answer_tokens),
        ("--runs", &[args.measuring.runs]),
    ])?;
    // A row is a prompt, one forking token and an answer.
    let row = largest(&args.prompt_tokens) + 1 + largest(&args.answer_tokens);
    let rows = largest(&args.forks);
    if rows.saturating_mul(row) > MOST_TOKENS {
        return Err(Failure::Usage(format!(
            "{rows} rows of {row} tokens are more than {MOST_TOKENS}; lower --forks or their lengths"
        )));
    }
    check_target(args.measuring.json.as_deref())?;
    let device = args.measuring.device.open()?;
    let origin = origin(&device);
    let tokenizer = Tokenizer::bytes(largest(&args.forks)).map_err(Failure::usage)?;
    let mut shape = DecoderConfig::preset(args.preset, tokenizer.vocab_size());
    shape.max_position_embeddings = row;
    let model = Decoder::init(&shape, args.measuring.seed, &device.device).prepared();
    let lengths = decode_lengths(args);
    let bar = progress::bar(Voice::new(args.measuring.quiet), BAR, Some(lengths.len()));
    let MeasuringArgs { runs, seed, .. } = args.measuring;
    let mut cases = Vec::new();
    for lengths in lengths {
        next(&bar, format!("{} forks, {runs} runs of each way", lengths.forks));
        let case = measure(&model, &tokenizer, lengths, runs, seed, &device.device);
        cases.push(case.map_err(Failure::run)?);
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    report(&args.measuring, &origin, rows, &tables::decode::table(&cases))
}

/// Every combination of the lists; the number of forks varies fastest.
fn decode_lengths(args: &BenchDecodeArgs) -> Vec<Lengths> {
    let mut all = Vec::new();
    for &prompt in &args.prompt_tokens {
        for &answer in &args.answer_tokens {
            all.extend(args.forks.iter().map(|&forks| Lengths { forks, prompt, answer }));
        }
    }
    all
}

/// The shape of a random model with `forks` forking tokens.
fn model_shape(args: &ModelShapeArgs, forks: usize) -> Result<DecoderConfig, Failure> {
    check_counts(&[
        ("--width", &[args.width.unwrap_or(1)]),
        ("--inner", &[args.inner.unwrap_or(1)]),
        ("--layers", &[args.layers.unwrap_or(1)]),
        ("--heads", &[args.heads.unwrap_or(1)]),
        ("--kv-heads", &[args.kv_heads.unwrap_or(1)]),
        ("--vocab", &[args.vocab]),
    ])?;
    if forks >= args.vocab {
        let vocab = args.vocab;
        return Err(Failure::Usage(format!("--vocab {vocab} leaves no token beside {forks} forks")));
    }
    let mut shape = DecoderConfig::preset(args.preset, args.vocab);
    let heads = args.heads.unwrap_or(shape.num_attention_heads);
    let kv_heads = args.kv_heads.unwrap_or(heads);
    shape.hidden_size = args.width.unwrap_or(shape.hidden_size);
    shape.intermediate_size = args.inner.unwrap_or(shape.intermediate_size);
    shape.num_hidden_layers = args.layers.unwrap_or(shape.num_hidden_layers);
    (shape.num_attention_heads, shape.num_key_value_heads) = (heads, kv_heads);
    shape.head_dim = shape.hidden_size / heads;
    if args.qkv_bias {
        shape.family = Family::Qwen2;
    }
    check_heads(&shape)?;
    Ok(shape)
}

fn check_heads(shape: &DecoderConfig) -> Result<(), Failure> {
    let (heads, kv_heads) = (shape.num_attention_heads, shape.num_key_value_heads);
    if shape.head_dim * heads != shape.hidden_size || !shape.head_dim.is_multiple_of(2) {
        return Err(Failure::Usage(format!(
            "a width of {} does not make {heads} heads of an even size; change --width or --heads",
            shape.hidden_size
        )));
    }
    if !heads.is_multiple_of(kv_heads) {
        return Err(Failure::Usage(format!(
            "{heads} heads cannot share {kv_heads} heads of keys and values; --kv-heads has to divide --heads"
        )));
    }
    Ok(())
}

/// Origin of results: this machine, `device` and the commit of this program.
fn origin(device: &NamedDevice) -> Origin {
    Origin::new(device, env!("SSFT_COMMIT"))
}

fn next(bar: &ProgressBar, message: String) {
    bar.inc(1);
    bar.set_message(message);
}

fn largest(list: &[usize]) -> usize {
    list.iter().copied().max().unwrap_or(1)
}

fn check_counts(lists: &[(&str, &[usize])]) -> Result<(), Failure> {
    for (flag, list) in lists {
        list.iter().try_for_each(|&value| check_count(flag, value, 1))?;
    }
    Ok(())
}

fn report(to: &MeasuringArgs, origin: &Origin, rows: Vec<Value>, table: &str) -> Result<(), Failure> {
    write(to.json.as_deref(), Voice::new(to.quiet), origin, rows, table)
}

/// Writes the file, then prints the table. The file comes first because a reader of the table may close the pipe.
fn write(
    json: Option<&Path>,
    voice: Voice,
    origin: &Origin,
    rows: Vec<Value>,
    table: &str,
) -> Result<(), Failure> {
    let written = json.map_or(Ok(()), |path| write_result(path, &format!("{:#}\n", origin.file(rows))));
    if voice == Voice::Normal {
        println!("{}\n\n{table}", tables::origin(origin));
    }
    written
}
