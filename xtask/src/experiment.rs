//! The paper's comparison in small: every arm on every task with every seed, in about two hours on two cores.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::document;
use crate::process::{cargo, command, loud, quiet, root};
use crate::steps::Steps;

/// Arms: name in the run's directory, flags, and number of answers to draw from each fork, 24 a question in all arms. The first
/// four are the paper's; the last has as many forks as traces.
const ARMS: [(&str, &str, &str); 5] = [
    ("sft", "--method sft", "24"),
    ("sft-mixed", "--method sft-mixed", "24"),
    ("ssft-random", "--method ssft-random", "4"),
    ("ssft", "--method ssft", "4"),
    ("ssft-n4", "--method ssft --forks 4", "6"),
];
/// Tasks and their settings, chosen so that the accuracy of every arm is far from 0 and 1.
const TASKS: [(&str, &str); 2] = [
    ("arithmetic", "--difficulty 2 --train-questions 20000 --match-tokens 8 --steps 3000"),
    ("countdown", "--difficulty 2 --train-questions 12000 --match-tokens 24 --steps 2500"),
];
/// Questions a step of all arms but `sft`.
const QUESTIONS: usize = 8;
/// Questions a step of `sft`: with one trace instead of four, four times the questions give a step the same number of tokens.
const QUESTIONS_OF_SFT: usize = 4 * QUESTIONS;
/// Settings of all runs.
const SETTINGS: &str = "--eval-questions 500 --eval-every 0 --device cpu";
/// Marks around the tables in docs/experiments.md.
const RESULTS: [&str; 2] = ["<!-- results -->", "<!-- end of results -->"];

/// Arguments of `experiment`.
#[derive(Args)]
pub struct Experiment {
    /// Directory of the runs; finished runs in it are kept, unfinished ones are resumed
    #[arg(long, default_value = "runs/experiment")]
    out: PathBuf,
    /// Number of seeds of each arm: 1, 2, ..
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Only these tasks
    #[arg(long, value_delimiter = ',', requires = "keep_docs")]
    tasks: Vec<String>,
    /// Leave docs/experiments.md and docs/experiments unchanged, and write the report to the directory of the runs
    #[arg(long)]
    keep_docs: bool,
}

/// `cargo xtask experiment`.
pub fn run(steps: &mut Steps, experiment: &Experiment) -> Result<()> {
    let known = |task: &String| TASKS.iter().any(|(name, _)| name == task);
    if let Some(task) = experiment.tasks.iter().find(|task| !known(task)) {
        bail!("no experiment on \"{task}\"; give arithmetic or countdown");
    }
    steps.run("build", || loud(&mut cargo("build --release --workspace")))?;
    let program = program()?;
    let mut runs = Vec::new();
    // The outer loop is over seeds, so that an interrupted experiment has complete comparisons of the first seeds.
    for seed in 1..=experiment.seeds {
        for (task, settings) in wanted(experiment) {
            for (arm, method, samples) in ARMS {
                let run = experiment.out.join(format!("{task}-{arm}-{seed}"));
                let name = run.display().to_string();
                let questions = if arm == "sft" { QUESTIONS_OF_SFT } else { QUESTIONS };
                let flags = format!(
                    "--task {task} {method} --seed {seed} {settings} --batch-questions {questions} {SETTINGS}"
                );
                steps.run(&name, || one(&program, &run, &flags, samples))?;
                runs.push(run);
            }
        }
    }
    steps.run("report", || report(&program, &runs, experiment))
}

fn wanted(experiment: &Experiment) -> impl Iterator<Item = (&'static str, &'static str)> {
    let all = experiment.tasks.is_empty();
    TASKS.into_iter().filter(move |(name, _)| all || experiment.tasks.iter().any(|task| task == name))
}

/// Path of the program, built into the directory of this executable.
fn program() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let program = own.with_file_name(format!("ssft-wgpu{}", std::env::consts::EXE_SUFFIX));
    ensure!(program.exists(), "{} is not there", program.display());
    Ok(program)
}

/// Trains and evaluates one run; does nothing if it was evaluated before.
fn one(program: &Path, run: &Path, flags: &str, samples: &str) -> Result<()> {
    let place = root().join(run);
    let begun = place.join("config.toml").exists();
    if begun {
        check(&place, flags)?;
    }
    let evaluated = place.join("evaluated.txt");
    if evaluated.exists() {
        return Ok(());
    }
    if !place.join("model").exists() {
        let mut train = command(program);
        train.arg("train").arg("--out").arg(run);
        match begun {
            true => train.arg("--resume"),
            false => train.args(flags.split_whitespace()),
        };
        quiet(&mut train)?;
    }
    let mut eval = command(program);
    eval.arg("eval").arg("--model").arg(run).args(["--k", "1,6,24", "--samples", samples]);
    eval.args(["--device", "cpu", "--json"]).arg(run.join("eval.json"));
    let said = quiet(&mut eval)?;
    println!("{said}");
    // Written last, so that an interrupted evaluation is repeated.
    fs::write(evaluated, said).with_context(|| format!("{}: cannot be written", run.display()))
}

/// Refuses a run that was started with other settings than `flags`.
fn check(place: &Path, flags: &str) -> Result<()> {
    let path = place.join("config.toml");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let config: toml::Table = toml::from_str(&text).with_context(|| path.display().to_string())?;
    let mut words = flags.split_whitespace();
    while let (Some(flag), Some(wanted)) = (words.next(), words.next()) {
        let key = flag.trim_start_matches('-');
        let found = config.get(key).map_or("absent".to_owned(), ToString::to_string);
        let found = found.trim_matches('"');
        ensure!(
            found == wanted,
            "{}: {key} is {found}, but the experiment needs {wanted}; move the run away or give another --out",
            path.display()
        );
    }
    Ok(())
}

/// Writes the report of each run, the comparison of all, and the tables in docs/experiments.md.
fn report(program: &Path, runs: &[PathBuf], experiment: &Experiment) -> Result<()> {
    let of = |arguments: &[&str], runs: &[PathBuf]| -> Command {
        let mut report = command(program);
        report.arg("report").args(arguments).args(runs);
        report
    };
    for run in runs {
        quiet(&mut of(&["--quiet"], std::slice::from_ref(run)))?;
    }
    let beside = if experiment.keep_docs { &experiment.out } else { Path::new("docs/experiments") };
    fs::create_dir_all(root().join(beside)).with_context(|| beside.display().to_string())?;
    let [page, json] = ["report.html", "summary.json"].map(|name| beside.join(name).display().to_string());
    let tables = quiet(&mut of(&["--out", &page, "--json", &json], runs))?;
    println!("{tables}");
    if experiment.keep_docs { Ok(()) } else { quote(&tables) }
}

/// Writes the tables between their marks in docs/experiments.md. `tables` is the output of `report`, whose first line is the name
/// of the page.
fn quote(tables: &str) -> Result<()> {
    let path = root().join("docs/experiments.md");
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let tables = tables.split_once('\n').map_or("", |(_, tables)| tables);
    let text = document::between(&text, RESULTS, tables)
        .with_context(|| format!("{}: no {} .. {}", path.display(), RESULTS[0], RESULTS[1]))?;
    fs::write(&path, text).with_context(|| path.display().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_with_other_settings_are_refused() {
        let place = std::env::temp_dir().join(format!("experiment-{}", std::process::id()));
        fs::create_dir_all(&place).expect("a directory");
        fs::write(place.join("config.toml"), "task = \"maze\"  # flag\nsteps = 30\n").expect("a file");
        assert!(check(&place, "--task maze --steps 30").is_ok());
        let why = check(&place, "--task maze --steps 40").expect_err("other steps").to_string();
        assert!(why.contains("steps is 30, but the experiment needs 40"), "{why}");
        let why = check(&place, "--forks 4").expect_err("no forks").to_string();
        assert!(why.contains("forks is absent, but"), "{why}");
        fs::remove_dir_all(&place).expect("removed");
    }
}
