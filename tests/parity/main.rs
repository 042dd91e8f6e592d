//! Comparison of our results with those of `transformers`, for directories that either of the two wrote; see README.md.

mod case;
mod compare;
mod joined;
mod peer;
mod templates;
mod texts;

use anyhow::{Context, Result, anyhow, ensure};
use burn::tensor::Device;
use case::{Case, logits, our_shapes};
use compare::{compare, compare_kept, compare_stated};
use joined::compare_joined;
use peer::Peer;
use serde_json::{Value, json};
use ssft_wgpu::data::template::user_message;
use ssft_wgpu::model::packing::Tree;
use ssft_wgpu::run::store::ModelDirectory;
use ssft_wgpu::run::{QuestionForm, Rendering, encoding};
use std::path::{Path, PathBuf};
use std::{env, fs};
use templates::compare_templates;

/// Largest difference of a logit: the same sums in f32 in different orders, for logits of 1 to 10.
const TOLERANCE: f64 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/parity").join(name)
}

/// Compares with logits that are stored in the fixtures, without Python.
#[test]
fn directories_of_transformers_give_its_logits() -> Result<()> {
    for (name, forks, eos) in [("fixture", 2, "<|im_end|>"), ("fixture-in-parts", 0, "</s>")] {
        let directory = fixture(name);
        let place = ModelDirectory::read(&directory)?;
        let loaded = place.load(&Device::flex())?;
        let expected: Value = serde_json::from_slice(&fs::read(directory.join("logits.json"))?)?;
        let rows = expected["rows"].as_array().context("no rows in logits.json")?;
        for row in rows {
            let prompt: Vec<u32> = serde_json::from_value(row["tokens"].clone())?;
            let theirs: Vec<f64> = serde_json::from_value(row["last_logits"].clone())?;
            let tree = Tree { prompt: prompt.clone(), branches: Vec::new() };
            let ours = logits(&loaded.model, &[tree])?;
            let apart = compare::apart(&ours[prompt.len() - 1..], &[theirs]);
            ensure!(apart < TOLERANCE, "{name}: {prompt:?}: logits are {apart:.1e} apart");
        }
        let place = ModelDirectory { directory, side: loaded.side };
        let text = expected["text"].as_str().unwrap_or_default();
        assert_eq!(json!(place.side.tokenizer.encode_text(text)?), expected["tokens"], "{name}");
        assert_eq!((place.side.tokenizer.forks().len(), place.side.tokenizer.eos_token()), (forks, eos));
        let (encoder, _) =
            encoding::of_model(&place.side, &Rendering::of_model(&place.side), QuestionForm::Text)
                .map_err(|error| anyhow!("{error}"))?;
        let chat = encoder.rendered(&[user_message(" What is 12+35? ")])?;
        assert_eq!(json!(chat), expected["chat"], "{name}");
    }
    Ok(())
}

/// All comparisons in one test, because importing torch and transformers takes longer than they do.
#[test]
fn transformers_agrees() -> Result<()> {
    let Some(python) = env::var_os("SSFT_PYTHON") else {
        peer::notice("NOT compared with transformers: run `cargo xtask parity`, or set SSFT_PYTHON to a");
        peer::notice("Python with transformers (tests/parity/README.md)");
        return Ok(());
    };
    let home = tempfile::tempdir()?;
    let mut bench = Bench { peer: Peer::start(&python)?, problems: Vec::new() };
    for case in our_shapes(&fixture("fixture"))? {
        bench.written_by_us(&case, &home.path().join(&case.name))?;
    }
    for variant in bench.variants()? {
        bench.written_by_them(&variant, home.path())?;
    }
    bench.trained_by_the_program(&home.path().join("run"))?;
    bench.fixtures_are_current()?;
    bench.problems.extend(compare_templates(&mut bench.peer)?);
    bench.problems.extend(compare_joined(&mut bench.peer, &home.path().join("kinds"))?);
    ensure!(bench.problems.is_empty(), "transformers disagrees:\n{}", bench.problems.join("\n"));
    Ok(())
}

/// The Python process, and all differences found so far, which are reported together at the end.
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

    /// Names of the models that `make_fixture.py` can make.
    fn variants(&mut self) -> Result<Vec<String>> {
        let reply = self.peer.ask(&json!({"variants": true}))?;
        let variants: Vec<String> = serde_json::from_value(reply["variants"].clone())?;
        ensure!(variants.len() >= 10, "every family is made in several variants: {variants:?}");
        Ok(variants)
    }

    /// Compares a directory that transformers wrote, then the model after five steps of SSFT with one more fork.
    fn written_by_them(&mut self, variant: &str, home: &Path) -> Result<()> {
        let directory = home.join(variant);
        self.peer.ask(&json!({"make": variant, "directory": directory}))?;
        let theirs = Case::load(variant, &directory)?;
        self.compare(&theirs, &directory)?;
        if variant.contains("blank in front of every part") {
            // As in published models; version 5 of transformers does not read their tokenizer.json as it is.
            let name = directory.join("tokenizer_config.json");
            let mut config: Value = serde_json::from_slice(&fs::read(&name)?)?;
            config["tokenizer_class"] = json!("LlamaTokenizer");
            fs::write(&name, config.to_string())?;
        }
        let data = home.join("data.jsonl");
        fs::write(&data, questions())?;
        let run = home.join(format!("{variant}, trained"));
        let forks = (theirs.encoder.tokenizer().forks().len() + 1).max(3).to_string();
        let flags =
            "--steps 5 --lr 0.01 --warmup-steps 0 --batch-questions 2 --eval-questions 0 --match-tokens 4";
        train(flags, &run, &[("--model", &directory), ("--data", &data), ("--forks", Path::new(&forks))])?;
        let model = run.join("model");
        let ours = Case::load(&format!("{variant}, five steps later"), &model)?;
        ensure!(theirs.apart_from(&ours)? > 1e-3, "{variant}: five steps changed nothing");
        let reply = self.compare(&ours, &model)?;
        self.problems.extend(compare_stated(&ours, &reply));
        self.problems
            .extend(compare_kept(&directory, &model)?.into_iter().map(|what| format!("{variant}: {what}")));
        Ok(())
    }

    fn trained_by_the_program(&mut self, out: &Path) -> Result<()> {
        train(
            "--steps 3 --train-questions 20 --eval-questions 4 --batch-questions 2 --difficulty 1",
            out,
            &[],
        )?;
        let model = out.join("model");
        let case = Case::load("trained by the program", &model)?;
        let reply = self.compare(&case, &model)?;
        self.problems.extend(compare_stated(&case, &reply));
        Ok(())
    }

    /// Compares the stored fixtures with the installed version of transformers.
    fn fixtures_are_current(&mut self) -> Result<()> {
        for name in ["fixture", "fixture-in-parts"] {
            self.compare(&Case::load(name, &fixture(name))?, &fixture(name))?;
        }
        Ok(())
    }
}

/// Runs `ssft-wgpu train` on the CPU.
fn train(flags: &str, out: &Path, paths: &[(&str, &Path)]) -> Result<()> {
    let mut command = assert_cmd::cargo::cargo_bin_cmd!("ssft-wgpu");
    command.arg("train").args(flags.split(' ')).args(["--device", "cpu", "--out"]).arg(out);
    for (flag, path) in paths {
        command.arg(flag).arg(path);
    }
    let done = command.output()?;
    ensure!(done.status.success(), "{}: {}", out.display(), String::from_utf8_lossy(&done.stderr));
    Ok(())
}

/// Questions as text and as messages, with two or three traces.
fn questions() -> String {
    let trace = |text: &str| json!({"source": text.chars().take(3).collect::<String>(), "text": text});
    let question = |n: usize| {
        let traces = [
            format!("{n}+1 is one more than {n}. #### {}", n + 1),
            format!("1+{n}={} #### {0}", n + 1),
            "é日 #### ?".into(),
        ];
        let traces: Vec<Value> = traces.iter().take(2 + n % 2).map(|text| trace(text)).collect();
        match n % 3 {
            0 => json!({"id": n.to_string(), "question": format!("{n}+1="), "traces": traces}),
            _ => {
                json!({"id": n.to_string(), "messages": [{"role": "user", "content": format!("What is {n}+1?")}], "traces": traces})
            }
        }
    };
    (1..=8).map(|n| question(n).to_string() + "\n").collect()
}
