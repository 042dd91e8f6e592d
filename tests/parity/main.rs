//! Our numbers against those of `transformers`, in both directions; see README.md.

mod case;
mod compare;
mod peer;

use anyhow::{Context, Result, anyhow, ensure};
use burn::tensor::Device;
use case::{Case, logits, our_shapes};
use compare::{compare, compare_stated};
use peer::Peer;
use serde_json::{Value, json};
use ssft_wgpu::cli::setup::load_model;
use ssft_wgpu::data::pack::Tree;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// Two orders of summation in f32 of the same numbers, on logits of magnitude 1 to 10.
const TOLERANCE: f64 = 1e-4;

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity/fixture")
}

/// Needs no Python: a directory that transformers wrote, with what it computed.
#[test]
fn a_directory_of_transformers_gives_its_logits() -> Result<()> {
    let loaded = load_model(&fixture(), &Device::flex()).map_err(|error| anyhow!("{error}"))?;
    let expected: Value = serde_json::from_slice(&fs::read(fixture().join("logits.json"))?)?;
    let rows = expected["rows"].as_array().context("no rows in logits.json")?;
    for row in rows {
        let prompt: Vec<u32> = serde_json::from_value(row["tokens"].clone())?;
        let theirs: Vec<f64> = serde_json::from_value(row["last_logits"].clone())?;
        let tree = Tree { prompt: prompt.clone(), branches: Vec::new() };
        let ours = logits(&loaded.model, &[tree])?;
        let apart = compare::apart(&ours[prompt.len() - 1..], &[theirs]);
        ensure!(apart < TOLERANCE, "{prompt:?}: logits are {apart:.1e} apart");
    }
    let text = expected["text"].as_str().unwrap_or_default();
    assert_eq!(json!(loaded.tokenizer.encode_text(text)?), expected["tokens"]);
    assert_eq!(loaded.tokenizer.forks().len(), 2);
    assert_eq!(loaded.tokenizer.eos_token(), "<|im_end|>");
    assert!(!loaded.template.is_plain(), "chat_template.jinja was not read");
    Ok(())
}

/// One test, because importing torch and transformers costs more than all of it.
#[test]
fn transformers_agrees() -> Result<()> {
    let Some(python) = env::var_os("SSFT_PYTHON") else {
        peer::notice(
            "NOT compared with transformers: run `cargo xtask parity`, or `cargo xtask setup` and set",
        );
        peer::notice("SSFT_PYTHON to a Python that has it (tests/parity/README.md)");
        return Ok(());
    };
    let home = tempfile::tempdir()?;
    let mut bench = Bench { peer: Peer::start(&python)?, problems: Vec::new() };
    for case in our_shapes(&fixture().join("tokenizer.json"))? {
        bench.written_by_us(&case, &home.path().join(&case.name))?;
    }
    for family in ["llama", "qwen2", "qwen3"] {
        bench.written_by_them(family, home.path())?;
    }
    bench.trained_by_the_program(&home.path().join("run"))?;
    bench.fixture_is_current()?;
    ensure!(bench.problems.is_empty(), "transformers disagrees:\n{}", bench.problems.join("\n"));
    Ok(())
}

/// The other side, and where it disagreed: all of it is reported at the end.
struct Bench {
    peer: Peer,
    problems: Vec<String>,
}

impl Bench {
    fn compare(&mut self, case: &Case, directory: &Path) -> Result<Value> {
        let reply = self.peer.ask(&case.request(directory)?)?;
        self.problems.extend(compare(case, &reply)?);
        Ok(reply)
    }

    fn written_by_us(&mut self, case: &Case, directory: &Path) -> Result<()> {
        case.write(directory)?;
        let reply = self.compare(case, directory)?;
        self.problems.extend(compare_stated(case, &reply));
        Ok(())
    }

    /// We read what they wrote; then they read what we make of it, with one fork more.
    fn written_by_them(&mut self, family: &str, home: &Path) -> Result<()> {
        let name = format!("{family} of transformers");
        let directory = home.join(&name);
        self.peer.ask(&json!({"make": family, "directory": directory}))?;
        self.compare(&Case::load(&name, &directory)?, &directory)?;
        let again = Case::load(&name, &directory)?.with_forks(3)?;
        self.written_by_us(&again, &home.join(&again.name))
    }

    fn trained_by_the_program(&mut self, out: &Path) -> Result<()> {
        let flags = "--steps 3 --train-questions 20 --eval-questions 4 --batch-questions 2 --difficulty 1 --device cpu";
        assert_cmd::cargo::cargo_bin_cmd!("ssft-wgpu")
            .arg("train")
            .args(flags.split(' '))
            .arg("--out")
            .arg(out)
            .assert()
            .success();
        let model = out.join("model");
        let case = Case::load("trained by the program", &model)?;
        let reply = self.compare(&case, &model)?;
        self.problems.extend(compare_stated(&case, &reply));
        Ok(())
    }

    /// What is compared without Python above is no relic: this transformers reads the fixture as we do.
    fn fixture_is_current(&mut self) -> Result<()> {
        self.compare(&Case::load("fixture", &fixture())?, &fixture()).map(drop)
    }
}
