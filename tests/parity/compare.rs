//! Comparison of one reply of `logits.py` with our results.

use crate::TOLERANCE;
use crate::case::{Case, PLAIN, chats, logits};
use crate::peer::notice;
use crate::texts::texts;
use anyhow::Result;
use serde_json::{Value, json};
use ssft_wgpu::data::encode::Encoder;
use ssft_wgpu::data::forks::ForkLead;
use ssft_wgpu::data::template::Template;
use ssft_wgpu::decode::{Continuation, Finish};
use ssft_wgpu::model::directory::Carried;
use ssft_wgpu::model::packing::Tree;
use std::path::Path;

/// Differences between our results and those of transformers.
pub fn compare(case: &Case, reply: &Value) -> Result<Vec<String>> {
    let mut found = Found { name: &case.name, problems: Vec::new() };
    found.files(case, reply);
    found.texts(case, reply)?;
    found.chats(case, reply)?;
    let (logits, size) = found.logits(case, reply)?;
    let logprob = found.continuations(case, reply)?;
    notice(&format!(
        "{}: logits of up to {size:.1} are {logits:.1e} apart, log-probabilities {logprob:.1e}",
        case.name
    ));
    Ok(found.problems)
}

/// Differences in the metadata of a directory that we wrote: type of numbers, context, greedy decoding.
pub fn compare_stated(case: &Case, reply: &Value) -> Vec<String> {
    let mut found = Found { name: &case.name, problems: Vec::new() };
    found.same("precision", &json!(format!("torch.{}", case.precision.hugging_face())), &reply["dtype"]);
    if case.carried == Carried::default() {
        found.same("context", &json!(case.encoder.context()), &reply["context"]);
        found.same("greedy", &json!(false), &reply["generation"]["do_sample"]);
    }
    found.problems
}

/// Keys of a pretrained model's JSON files that are missing or changed after training, except those that have to change.
pub fn compare_kept(before: &Path, after: &Path) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for name in ["config.json", "generation_config.json", "tokenizer_config.json"] {
        let read = |directory: &Path| -> Result<Value> {
            Ok(serde_json::from_slice(&std::fs::read(directory.join(name))?)?)
        };
        let (before, after) = (read(before)?, read(after)?);
        for (key, value) in before.as_object().into_iter().flatten() {
            let changes = ["vocab_size", "extra_special_tokens"].contains(&key.as_str())
                || key == "tokenizer_class" && value == "LlamaTokenizer";
            if !changes && after.get(key) != Some(value) {
                problems.push(format!("{name}: {key} was {value} and is {:?}", after.get(key)));
            }
        }
    }
    Ok(problems)
}

/// Largest difference between two tables of numbers; NaN if a cell is NaN.
pub fn apart(ours: &[Vec<f64>], theirs: &[Vec<f64>]) -> f64 {
    assert_eq!(ours.len(), theirs.len(), "tables of different heights");
    let cells = ours.iter().zip(theirs).flat_map(|(ours, theirs)| {
        assert_eq!(ours.len(), theirs.len(), "rows of different lengths");
        ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs())
    });
    // `f64::max` would ignore NaN.
    cells.fold(0.0, |most, cell| if cell > most || cell.is_nan() { cell } else { most })
}

struct Found<'a> {
    name: &'a str,
    problems: Vec<String>,
}

impl Found<'_> {
    fn same(&mut self, what: &str, ours: &Value, theirs: &Value) {
        if ours != theirs {
            self.problems.push(format!("{}: {what}: ours {ours}, theirs {theirs}", self.name));
        }
    }

    /// Compares what is read from files: weights, vocabulary, special tokens.
    fn files(&mut self, case: &Case, reply: &Value) {
        let tokenizer = case.encoder.tokenizer();
        let forks: Vec<Vec<u32>> = tokenizer.forks().iter().map(|&fork| vec![fork]).collect();
        self.same("weights that do not fit", &json!({}), &reply["loading"]);
        self.same("vocabulary", &json!(tokenizer.vocab_size()), &reply["tokens"]);
        self.same("forking tokens", &json!(forks), &reply["forks"]);
        let special: Vec<_> = tokenizer.special_names().iter().map(|name| tokenizer.token_id(name)).collect();
        self.same("special tokens", &json!(special), &reply["special"]);
        for (key, ours) in [("eos", tokenizer.eos()), ("pad", tokenizer.pad())] {
            self.same(key, &json!(ours), &reply[key]);
            self.same(
                &format!("{key} to generate"),
                &json!(ours),
                &reply["generation"][format!("{key}_token_id")],
            );
        }
    }

    /// Compares the tokens of texts. `logits.py` sets `split_special_tokens`, because our texts never contain special tokens.
    fn texts(&mut self, case: &Case, reply: &Value) -> Result<()> {
        let tokenizer = case.encoder.tokenizer();
        for (index, text) in texts().iter().enumerate() {
            self.same(
                &format!("tokens of {text:?}"),
                &json!(tokenizer.encode_text(text)?),
                &reply["texts"][index],
            );
        }
        let plain = Encoder::new(tokenizer.clone(), Template::plain(), &ForkLead::bare(), 1 << 20)?;
        self.same("a plain prompt", &json!(plain.prompt_text("parity", PLAIN)?), &reply["plain"]);
        if !tokenizer.forks().is_empty() {
            // What a user of transformers types, up to the beginning of a trace.
            self.same("prompts with a fork", &json!(case.prompted()?), &reply["prompts"]);
        }
        for (index, row) in case.rows()?.iter().enumerate() {
            self.same(&format!("text of {row:?}"), &json!(tokenizer.decode(row)?), &reply["decoded"][index]);
        }
        Ok(())
    }

    fn chats(&mut self, case: &Case, reply: &Value) -> Result<()> {
        for (index, chat) in chats().iter().enumerate() {
            let rendered = case.encoder.rendered(chat)?;
            self.same("rendered chat", &json!(rendered), &reply["chats"][index]["text"]);
            let ours = case.encoder.prompt("parity", chat)?;
            self.same("tokens of a chat", &json!(ours), &reply["chats"][index]["tokens"]);
        }
        Ok(())
    }

    /// Compares logits: ours from one pass over packed trees, theirs from one pass for each row.
    fn logits(&mut self, case: &Case, reply: &Value) -> Result<(f64, f64)> {
        let trees = case.trees()?;
        let flat = logits(&case.model, &trees)?;
        let theirs: Vec<Vec<Vec<f64>>> = serde_json::from_value(reply["logits"].clone())?;
        let worst = apart(&unpacked(&trees, &flat), &theirs.concat());
        let size = flat.iter().flatten().fold(0.0, |most: f64, logit| most.max(logit.abs()));
        // The tolerance is relative for small logits, as of a model after few steps.
        if worst.is_nan() || worst > TOLERANCE * size.min(1.0) {
            self.problems.push(format!("{}: logits of up to {size:.1} are {worst:.1e} apart", self.name));
        }
        Ok((worst, size))
    }

    /// Compares greedy continuations: ours from one shared prefill and a cache, theirs from `generate`.
    fn continuations(&mut self, case: &Case, reply: &Value) -> Result<f64> {
        let stop = case.stop()?;
        let ours = case.decode(stop)?;
        let said: Vec<Vec<u32>> = ours.iter().map(|ours| said(ours, stop)).collect();
        let column = |key: &str| -> Vec<Value> {
            let theirs = reply["continuations"].as_array().into_iter().flatten();
            theirs.map(|theirs| theirs[key].clone()).collect()
        };
        self.same("continuations", &json!(said), &json!(column("tokens")));
        let logprobs = ours.iter().map(|ours| ours.logprob).collect();
        let worst = apart(&[logprobs], &[serde_json::from_value(json!(column("logprob")))?]);
        if worst.is_nan() || worst > TOLERANCE {
            self.problems.push(format!("{}: log-probabilities are {worst:.1e} apart", self.name));
        }
        Ok(worst)
    }
}

/// Logits of packed trees in the order of [`Case::rows`]: those of the prompt are repeated for every branch.
fn unpacked(trees: &[Tree], flat: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut rest = flat;
    let mut next = |length: usize| {
        let (run, others) = rest.split_at(length);
        rest = others;
        run.to_vec()
    };
    let mut rows = Vec::new();
    for tree in trees {
        let prompt = next(tree.prompt.len());
        for branch in &tree.branches {
            rows.extend(prompt.iter().cloned());
            rows.extend(next(branch.tokens.len()));
        }
    }
    rows
}

/// Tokens of a continuation with its end token, which transformers keeps and we drop.
fn said(continuation: &Continuation, eos: u32) -> Vec<u32> {
    let end = (continuation.finish == Finish::Eos).then_some(eos);
    continuation.tokens.iter().copied().chain(end).collect()
}
