//! The model that the page opens with: trained by the program itself, with settings and figures beside it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::process::{cargo, command, loud, root};
use crate::steps::Steps;
use crate::web::target_directory;

/// Mazes, because there forks are seen to differ. Stored as f16: half the bytes to fetch.
const SETTINGS: &str = "--task maze --preset demo --train-questions 20000 --match-tokens 16 --steps 3000 \
                        --eval-every 0 --save-every 500 --dtype f16 --device cpu";
/// What the page fetches, and what tells how it came to be.
const MODEL: [&str; 7] = [
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "generation_config.json",
    "forks.json",
];
const BESIDE: [&str; 2] = ["config.toml", "eval.txt"];
/// Most bytes of it all.
const MOST: u64 = 3_000_000;

/// `cargo xtask demo-model`: about ten minutes on two cores. A run that was cut off goes on.
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
    let mut bytes = 0;
    let model = run.join("model");
    for (from, names) in [(model.as_path(), MODEL.as_slice()), (run, BESIDE.as_slice())] {
        for name in names {
            bytes += fs::copy(from.join(name), demo.join(name)).with_context(|| (*name).to_owned())?;
        }
    }
    ensure!(bytes <= MOST, "the demo model has {bytes} bytes, more than {MOST}");
    println!("    {}: {bytes} bytes", demo.display());
    Ok(())
}
