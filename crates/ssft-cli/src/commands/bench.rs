//! `bench`: what things cost.

use crate::args::BenchKernelsArgs;
use crate::bench::Plan;
use crate::bench::cases::Kernel;
use crate::bench::output::{self, Origin};
use crate::config::MOST_TOKENS;
use crate::exit::Failure;
use crate::files::publish_file;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;
use std::io::IsTerminal;
use std::path::Path;

pub fn kernels(args: &BenchKernelsArgs) -> Result<(), Failure> {
    check(args)?;
    let device = args.device.open()?;
    let origin = Origin::of(&device);
    let kernels = if args.kernels.is_empty() { &Kernel::ALL[..] } else { &args.kernels };
    let plan = Plan::new(kernels, [&args.rows, &args.width, &args.vocab], args.runs, args.seed);
    let bar = bar(plan.cases(), args.quiet);
    let cases = plan.measure(&device, |kernel, shape| {
        bar.inc(1);
        bar.set_message(format!("{}, {shape}", kernel.name()));
    });
    bar.finish_and_clear();
    // First the file: whoever reads the table may stop listening.
    let written = args.json.as_ref().map_or(Ok(()), |path| write(path, &origin.json(&cases)));
    if !args.quiet {
        println!("{}\n\n{}", origin.describe(), output::table(&cases));
        output::refusals(&cases).iter().for_each(|line| println!("{line}"));
    }
    written
}

fn write(path: &Path, figures: &Value) -> Result<(), Failure> {
    publish_file(path, format!("{figures:#}\n").as_bytes())
        .map_err(|error| Failure::Run(format!("{}: cannot be written ({error})", path.display())))
}

fn check(args: &BenchKernelsArgs) -> Result<(), Failure> {
    let runs = [args.runs];
    let lists = [("--rows", &args.rows), ("--width", &args.width), ("--vocab", &args.vocab)];
    let lists = lists.map(|(flag, list)| (flag, list.as_slice()));
    for (flag, list) in lists.into_iter().chain([("--runs", runs.as_slice())]) {
        if let Some(value) = list.iter().find(|&&value| value == 0 || value > MOST_TOKENS) {
            return Err(Failure::Usage(format!("{flag} is {value}; give 1 to {MOST_TOKENS}")));
        }
    }
    match args.json.as_ref().filter(|path| path.is_dir()) {
        Some(path) => Err(Failure::Usage(format!("{} is a directory; name a file", path.display()))),
        None => Ok(()),
    }
}

/// One line on a terminal, which changes only between measurements.
fn bar(cases: usize, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(cases as u64);
    match ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
