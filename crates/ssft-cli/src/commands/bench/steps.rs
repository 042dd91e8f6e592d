//! `bench steps`: whole training steps of a random or a trained model.

use super::{BAR, check_counts, largest, model_shape, next, origin, report};
use crate::args::BenchStepsArgs;
use crate::exit::Failure;
use crate::progress;
use crate::result_file::check_target;
use crate::tables;
use crate::voice::Voice;
use serde_json::json;
use ssft_bench::room::Room;
use ssft_bench::steps::{Profiling, measure};
use ssft_bench::{Arm, Lengths, Workload};
use ssft_model::DecoderConfig;
use ssft_run::device::NamedDevice;
use ssft_run::settings::MOST_TOKENS;
use ssft_run::store::{Start, prepare, resolve};

pub fn steps(args: &BenchStepsArgs) -> Result<(), Failure> {
    let shape = check(args)?;
    let device = args.measuring.device.open()?;
    device.check_fits(&shape)?;
    if let Some(reason) = Room::of(&device).refuses_training(&shape) {
        return Err(Failure::Usage(format!("{reason}; lower the sizes of the random model")));
    }
    if args.profile && device.adapter.is_none() {
        return Err(Failure::Usage("--profile times the kernels of a GPU; use --device wgpu".to_owned()));
    }
    let origin = origin(&device);
    let arms = if args.arms.is_empty() { &Arm::ALL[..] } else { &args.arms };
    let profiling = if args.profile { Profiling::On } else { Profiling::Off };
    let workloads =
        if args.model.is_some() { trained(args, &device)? } else { random(args, &shape, &device) };
    let bar = progress::bar(Voice::new(args.measuring.quiet), BAR, Some(workloads.len()));
    let mut cases = Vec::new();
    for workload in workloads {
        next(&bar, format!("{} arms, {} runs of each", arms.len(), args.measuring.runs));
        let case = measure(workload, arms, args.measuring.runs, profiling, &device);
        cases.push(case.map_err(Failure::run)?);
    }
    bar.finish_and_clear();
    let rows = cases.iter().flat_map(|case| case.rows(&origin)).collect();
    let tables = [tables::steps::table(&cases), tables::steps::profiles(&cases)];
    report(&args.measuring, &origin, rows, tables.join("\n\n").trim_end())
}

/// Refuses arguments out of range; returns the shape of the random model.
fn check(args: &BenchStepsArgs) -> Result<DecoderConfig, Failure> {
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
    let question = largest(&args.prompt_tokens) + largest(&args.traces) * largest(&args.trace_tokens);
    let questions = largest(&args.questions);
    if question.saturating_mul(questions) > MOST_TOKENS {
        return Err(Failure::Usage(format!(
            "{questions} questions of {question} tokens are more than {MOST_TOKENS}; lower --questions or their lengths"
        )));
    }
    model_shape(&args.shape, largest(&args.forks))
}

/// Memory for the passes of a step, in bytes.
fn budget(args: &BenchStepsArgs, device: &NamedDevice, model: &DecoderConfig) -> u64 {
    (args.memory_budget.unwrap_or_else(|| device.memory_budget(model)) as u64) << 20
}

/// Random workloads at every combination of the lists.
fn random(args: &BenchStepsArgs, shape: &DecoderConfig, device: &NamedDevice) -> Vec<Workload> {
    let workload = |lengths: Lengths| {
        let budget = budget(args, device, shape);
        Workload::random(shape, lengths, budget, args.measuring.seed, &device.device)
    };
    all_lengths(args).into_iter().map(workload).collect()
}

/// Every combination of the lists; the last list varies fastest.
fn all_lengths(args: &BenchStepsArgs) -> Vec<Lengths> {
    type Set = fn(&mut Lengths, usize);
    let lists: [(&[usize], Set); 6] = [
        (&args.questions, |lengths, value| lengths.questions = value),
        (&args.forks, |lengths, value| lengths.forks = value),
        (&args.traces, |lengths, value| lengths.traces = value),
        (&args.prompt_tokens, |lengths, value| lengths.prompt = value),
        (&args.trace_tokens, |lengths, value| lengths.trace = value),
        (&args.match_tokens, |lengths, value| lengths.match_tokens = value),
    ];
    let mut all = vec![Lengths { questions: 1, forks: 1, traces: 1, prompt: 1, trace: 1, match_tokens: 1 }];
    for (list, set) in lists {
        let with_each = |&lengths: &Lengths| {
            list.iter().map(move |&value| {
                let mut lengths = lengths;
                set(&mut lengths, value);
                lengths
            })
        };
        all = all.iter().flat_map(with_each).collect();
    }
    all
}

/// Workloads of a trained model on the questions of `--task` or `--data`.
fn trained(args: &BenchStepsArgs, device: &NamedDevice) -> Result<Vec<Workload>, Failure> {
    let given = json!({
        "model": args.model, "task": args.task, "data": args.data, "difficulty": args.difficulty,
        "seed": args.measuring.seed,
    });
    let given = given.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let flags = given.map(|(key, value)| (key.clone(), value.clone())).collect();
    let (mut settings, layers) = resolve(None, flags)?;
    let Start { course, text, .. } = prepare(&mut settings, &layers, device, None)?;
    let model = course.trainer.model();
    let mut workloads = Vec::new();
    for &questions in &args.questions {
        for &match_tokens in &args.match_tokens {
            workloads.push(Workload {
                model: model.clone(),
                leads: text.leads(),
                data: course.questions.clone(),
                questions,
                match_tokens,
                memory_budget: budget(args, device, model.config()),
                seed: args.measuring.seed,
            });
        }
    }
    Ok(workloads)
}
