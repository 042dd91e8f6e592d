//! Demo model of the page, trained by the native program, with its settings and figures.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, command, loud, root};
use crate::steps::Steps;
use crate::web::target_directory;

/// Settings of the training. The task is mazes, where the page can draw how forks differ; the type is f16, half the bytes of f32.
const SETTINGS: &str = "--task maze --preset demo --train-questions 20000 --match-tokens 16 --steps 3000 \
                        --eval-every 0 --save-every 500 --dtype f16 --device cpu";
/// Files published with the model: its settings and its evaluation.
const BESIDE: [&str; 2] = ["config.toml", "eval.txt"];
/// Largest size of the published files, in bytes.
const MOST: u64 = 3_000_000;

/// `cargo xtask demo-model`: about ten minutes on two cores. An interrupted run is resumed.
pub fn run(steps: &mut Steps) -> Result<()> {
    steps.run("build", || loud(&mut cargo("build --release --workspace")))?;
    let program = target_directory()?.join("release/ssft-wgpu");
    let run = root().join("runs/demo-model");
    let mut train = command(&program);
    train.arg("train").arg("--out").arg("runs/demo-model");
    match run.join("config.toml").exists() {
        true => train.arg("--resume"),
        false => train.args(SETTINGS.split_whitespace()),
    };
    steps.run("train", || loud(&mut train))?;
    let mut eval = command(&program);
    eval.args(["eval", "--device", "cpu", "--model", "runs/demo-model"]);
    let said = steps.run("evaluate", || crate::process::quiet(&mut eval))?;
    fs::write(run.join("eval.txt"), said + "\n").context("runs/demo-model/eval.txt")?;
    steps.run("publish", || publish(&run))
}

fn publish(run: &Path) -> Result<()> {
    let demo = root().join("web/public/demo");
    fs::create_dir_all(&demo).with_context(|| demo.display().to_string())?;
    let model = run.join("model");
    let files = fs::read_dir(&model).with_context(|| model.display().to_string())?;
    let mut all: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    all.extend(BESIDE.map(|name| run.join(name)));
    let mut bytes = 0;
    for from in all {
        let name = from.file_name().unwrap_or_default();
        bytes += fs::copy(&from, demo.join(name)).with_context(|| from.display().to_string())?;
    }
    ensure!(bytes <= MOST, "the demo model has {bytes} bytes, more than {MOST}");
    println!("    {}: {bytes} bytes", demo.display());
    Ok(())
}
