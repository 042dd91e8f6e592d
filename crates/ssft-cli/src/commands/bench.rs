//! `bench`: what things cost.

use crate::args::{
    BenchDecodeArgs, BenchKernelsArgs, BenchMatmulArgs, BenchMemoryArgs, BenchStepsArgs, MeasuringArgs,
    ModelShapeArgs, TrainArgs,
};
use crate::bench::Plan;
use crate::bench::cases::Kernel;
use crate::bench::decode::{Lengths, measure, table};
use crate::bench::memory::Room;
use crate::bench::output::{self, Origin};
use crate::bench::steps::{self, Arm, Workload};
use crate::bench::steps_output::{self, Case};
use crate::bench::{matmul, memory_growth};
use crate::config::Resolved;
use crate::device::NamedDevice;
use crate::exit::Failure;
use crate::files::{check_target, write_result};
use crate::limits::{MOST_TOKENS, check_count};
use crate::progress;
use crate::setup;
use serde_json::Value;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::{Decoder, DecoderConfig};
use std::path::Path;

/// One line on a terminal, which changes only between measurements.
const BAR: &str = "{bar:24} {pos}/{len}  {msg}";

pub fn kernels(args: &BenchKernelsArgs) -> Result<(), Failure> {
    check(args)?;
    let device = args.measuring.device.open()?;
    let origin = Origin::of(&device);
    let kernels = if args.kernels.is_empty() { Kernel::all() } else { &args.kernels };
    let plan =
        Plan::new(kernels, [&args.rows, &args.width, &args.vocab], args.measuring.runs, args.measuring.seed);
    let bar = progress::bar(args.measuring.quiet, BAR, Some(plan.cases()));
    let cases = plan.measure(&device, |kernel, shape| {
        bar.inc(1);
        bar.set_message(format!("{}, {shape}", kernel.name()));
    });
    bar.finish_and_clear();
    let written = report(&args.measuring, &origin, origin.rows(&cases), &output::table(&cases));
    if !args.measuring.quiet {
        output::refusals(&cases).iter().for_each(|line| println!("{line}"));
    }
    written
}

fn report(to: &MeasuringArgs, origin: &Origin, rows: Vec<Value>, table: &str) -> Result<(), Failure> {
    write(to.json.as_deref(), to.quiet, origin, rows, table)
}

/// First the file, then the table: whoever reads that may stop listening.
fn write(
    json: Option<&Path>,
    quiet: bool,
    origin: &Origin,
    rows: Vec<Value>,
    table: &str,
) -> Result<(), Failure> {
    let written = json.map_or(Ok(()), |path| write_result(path, &format!("{:#}\n", origin.file(rows))));
    if !quiet {
        println!("{}\n\n{table}", origin.describe());
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

fn check_counts(lists: &[(&str, &[usize])]) -> Result<(), Failure> {
    for (flag, list) in lists {
        list.iter().try_for_each(|&value| check_count(flag, value, 1))?;
    }
    Ok(())
}

pub fn steps(args: &BenchStepsArgs) -> Result<(), Failure> {
    let shape = check_steps(args)?;
    let device = args.measuring.device.open()?;
    device.check_fits(&shape)?;
    if args.profile && device.adapter.is_none() {
        return Err(Failure::Usage("--profile times the kernels of a GPU; use --device wgpu".to_owned()));
    }
    let origin = Origin::of(&device);
    let arms = if args.arms.is_empty() { &Arm::ALL[..] } else { &args.arms };
    let workloads =
        if args.model.is_some() { trained(args, &device)? } else { random(args, &shape, &device) };
    let bar = progress::bar(args.measuring.quiet, BAR, Some(workloads.len()));
    let mut cases = Vec::new();
    for workload in workloads {
        bar.inc(1);
        bar.set_message(format!("{} arms, {} runs of each", arms.len(), args.measuring.runs));
        let measured =
            workload.measure(arms, args.measuring.runs, args.profile, &device).map_err(Failure::run)?;
        cases.push(Case { workload, measured });
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    let tables = [steps_output::table(&cases), steps_output::profiles(&cases)];
    report(&args.measuring, &origin, rows, tables.join("\n\n").trim_end())
}

/// The shape of a random model, if everything about the case is as it should be.
fn check_steps(args: &BenchStepsArgs) -> Result<DecoderConfig, Failure> {
    check_counts(&[
        ("--questions", &args.questions),
        ("--forks", &args.forks),
        ("--traces", &args.traces),
        ("--prompt-tokens", &args.prompt_tokens),
        ("--trace-tokens", &args.trace_tokens),
        ("--match-tokens", &args.match_tokens),
        ("--memory-budget", &[args.memory_budget.unwrap_or(1)]),
        ("--runs", &[args.measuring.runs]),
    ])?;
    check_target(args.measuring.json.as_deref())?;
    let (forks, traces) = (args.forks.iter().min(), args.traces.iter().max());
    if let (Some(forks), Some(traces)) = (forks, traces)
        && forks < traces
    {
        return Err(Failure::Usage(format!(
            "{traces} traces cannot have different forks when there are only {forks}; raise --forks or lower --traces"
        )));
    }
    let most = |list: &[usize]| list.iter().copied().max().unwrap_or(1);
    let question = most(&args.prompt_tokens) + most(&args.traces) * most(&args.trace_tokens);
    if question.saturating_mul(most(&args.questions)) > MOST_TOKENS {
        return Err(Failure::Usage(format!(
            "{} questions of {question} tokens are more than {MOST_TOKENS}; lower --questions or their lengths",
            most(&args.questions)
        )));
    }
    model_shape(&args.shape, most(&args.forks))
}

/// The shape of a random model with `forks` forking tokens, if there can be such a model.
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
    let mut shape = DecoderConfig::preset(args.preset.into(), args.vocab);
    let heads = args.heads.unwrap_or(shape.num_attention_heads);
    let kv_heads = args.kv_heads.unwrap_or(heads);
    shape.hidden_size = args.width.unwrap_or(shape.hidden_size);
    shape.intermediate_size = args.inner.unwrap_or(shape.intermediate_size);
    shape.num_hidden_layers = args.layers.unwrap_or(shape.num_hidden_layers);
    (shape.num_attention_heads, shape.num_key_value_heads) = (heads, kv_heads);
    shape.head_dim = shape.hidden_size / heads;
    if args.qkv_bias {
        shape.family = ssft_model::family::Family::Qwen2;
    }
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
    Ok(shape)
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
    let origin = Origin::of(&device);
    let bar = progress::bar(args.measuring.quiet, BAR, Some(args.shapes.len()));
    let mut cases = Vec::new();
    for &shape in &args.shapes {
        bar.inc(1);
        bar.set_message(shape.to_string());
        let case = matmul::measure(shape, args.measuring.runs, args.measuring.seed, &device.device);
        cases.push(case.map_err(|what| Failure::Run(format!("{shape}, {what}")))?);
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    report(&args.measuring, &origin, rows, &matmul::table(&cases))
}

/// What a step of `bench memory` trains on: 16 traces of 96 tokens.
const GROWTH: steps::Lengths =
    steps::Lengths { questions: 4, forks: 6, traces: 4, prompt: 32, trace: 96, match_tokens: 32 };

pub fn memory(args: &BenchMemoryArgs) -> Result<(), Failure> {
    check_counts(&[("--steps", &[args.steps])])?;
    let shape = model_shape(&args.shape, GROWTH.forks)?;
    check_target(args.json.as_deref())?;
    let device = args.device.open()?;
    if device.adapter.is_none() {
        return Err(Failure::Usage("memory is watched on a GPU only; use --device wgpu".to_owned()));
    }
    device.check_fits(&shape)?;
    let origin = Origin::of(&device);
    let budget = (device.memory_budget(&shape) as u64) << 20;
    let workload = Workload::random(&shape, GROWTH, budget, args.seed, &device.device);
    let points = memory_growth::measure(&workload, args.steps, &device.device).map_err(Failure::run)?;
    let rows = memory_growth::rows(&points, shape.parameters(), &origin);
    write(args.json.as_deref(), args.quiet, &origin, rows, &memory_growth::table(&points))
}

pub fn decode(args: &BenchDecodeArgs) -> Result<(), Failure> {
    check_counts(&[
        ("--forks", &args.forks),
        ("--prompt-tokens", &args.prompt_tokens),
        ("--answer-tokens", &args.answer_tokens),
        ("--runs", &[args.measuring.runs]),
    ])?;
    check_target(args.measuring.json.as_deref())?;
    let device = args.measuring.device.open()?;
    let origin = Origin::of(&device);
    let most = |list: &[usize]| list.iter().copied().max().unwrap_or(1);
    let tokenizer = Tokenizer::bytes(most(&args.forks)).map_err(Failure::usage)?;
    let mut shape = DecoderConfig::preset(args.preset.into(), tokenizer.vocab_size());
    shape.max_position_embeddings = most(&args.prompt_tokens) + 1 + most(&args.answer_tokens);
    let model = Decoder::init(&shape, args.measuring.seed, &device.device).prepared();
    let prompts = args
        .prompt_tokens
        .iter()
        .flat_map(|&prompt| args.answer_tokens.iter().map(move |&answer| (prompt, answer)));
    let lengths: Vec<Lengths> = prompts
        .flat_map(|(prompt, answer)| args.forks.iter().map(move |&forks| Lengths { forks, prompt, answer }))
        .collect();
    let bar = progress::bar(args.measuring.quiet, BAR, Some(lengths.len()));
    let mut cases = Vec::new();
    for lengths in lengths {
        bar.inc(1);
        bar.set_message(format!("{} forks, {} runs of each way", lengths.forks, args.measuring.runs));
        let case =
            measure(&model, &tokenizer, lengths, args.measuring.runs, args.measuring.seed, &device.device);
        cases.push(case.map_err(Failure::run)?);
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    report(&args.measuring, &origin, rows, &table(&cases))
}

fn budget(args: &BenchStepsArgs, device: &NamedDevice, model: &DecoderConfig) -> u64 {
    (args.memory_budget.unwrap_or_else(|| device.memory_budget(model)) as u64) << 20
}

/// Every combination of the lists.
fn random(args: &BenchStepsArgs, shape: &DecoderConfig, device: &NamedDevice) -> Vec<Workload> {
    let lists = [
        &args.questions,
        &args.forks,
        &args.traces,
        &args.prompt_tokens,
        &args.trace_tokens,
        &args.match_tokens,
    ];
    let with = |chosen: Vec<Vec<usize>>, list: &Vec<usize>| -> Vec<Vec<usize>> {
        let longer = |start: &Vec<usize>| {
            let start = start.clone();
            list.iter().map(move |&value| [start.as_slice(), &[value]].concat()).collect::<Vec<_>>()
        };
        chosen.iter().flat_map(longer).collect()
    };
    let workload = |sizes: &Vec<usize>| {
        let lengths = steps::Lengths {
            questions: sizes[0],
            forks: sizes[1],
            traces: sizes[2],
            prompt: sizes[3],
            trace: sizes[4],
            match_tokens: sizes[5],
        };
        let budget = budget(args, device, shape);
        Workload::random(shape, lengths, budget, args.measuring.seed, &device.device)
    };
    lists.into_iter().fold(vec![Vec::new()], with).iter().map(workload).collect()
}

/// A trained model on questions of its task.
fn trained(args: &BenchStepsArgs, device: &NamedDevice) -> Result<Vec<Workload>, Failure> {
    let settings = TrainArgs {
        model: args.model.clone(),
        task: args.task.clone(),
        data: args.data.clone(),
        difficulty: args.difficulty,
        seed: Some(args.measuring.seed),
        ..TrainArgs::default()
    };
    let resolved = Resolved::new(&settings, None)?;
    let (data, model) =
        setup::questions(&resolved, args.model.as_deref(), &device.device.clone().autodiff(), &|shape| {
            device.check_fits(shape)
        })?;
    let forks = data.encoder.tokenizer().forks().len();
    let mut workloads = Vec::new();
    for &questions in &args.questions {
        for &match_tokens in &args.match_tokens {
            // `--model` is given, or this is not called.
            let Some(model) = model.as_ref().map(|loaded| loaded.model.clone()) else { continue };
            let shape = &model.config().clone();
            workloads.push(Workload {
                model,
                leads: (0..forks).map(|fork| data.encoder.lead(fork)).collect(),
                data: data.train.clone(),
                questions,
                match_tokens,
                memory_budget: budget(args, device, shape),
                seed: args.measuring.seed,
            });
        }
    }
    Ok(workloads)
}
