//! Pieces of a row have the tokens that transformers gives them in the whole text, for every kind of tokenizer.

use crate::peer::{Peer, notice};
use crate::texts::texts;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use ssft_wgpu::data::encode::Encoder;
use ssft_wgpu::data::error::DataError;
use ssft_wgpu::data::forks::ForkLead;
use ssft_wgpu::data::record::{Record, Trace};
use ssft_wgpu::data::template::{Template, user_message};
use ssft_wgpu::data::tokenizer::Tokenizer;
use ssft_wgpu::model::directory::text_files::TextFiles;
use std::fs;
use std::path::Path;

/// Context of the encoders, in tokens: no row is too long.
const CONTEXT: usize = 1 << 20;

/// Differences for every kind of tokenizer. `home` is an empty directory.
pub fn compare_joined(peer: &mut Peer, home: &Path) -> Result<Vec<String>> {
    let kinds = peer.ask(&json!({"kinds": true}))?;
    let kinds: Vec<String> = serde_json::from_value(kinds["kinds"].clone())?;
    ensure!(kinds.len() >= 13, "every kind is made: {kinds:?}");
    let mut problems = Vec::new();
    for kind in kinds {
        let directory = home.join(&kind);
        peer.ask(&json!({"kind": kind, "directory": directory}))?;
        let (mut same, mut total) = (0, 0);
        for (template, lead) in
            [(Template::chatml()?, ForkLead::chat()), (Template::plain(), ForkLead::bare())]
        {
            let rows = Rows::new(tokenizer(&directory)?, template, lead)?;
            let found = rows.compare(peer, &directory)?;
            let form = if rows.encoder.template().is_plain() { "plain" } else { "chatml" };
            notice(&format!("{kind}, {form}: {} rows equal, {} without a cut", found.same, found.uncut));
            (same, total) = (same + found.same, total + rows.texts.len());
            problems.extend(found.problems.into_iter().map(|problem| format!("{kind}, {form}: {problem}")));
        }
        if same < total / 2 {
            problems.push(format!("{kind}: only {same} of {total} rows could be compared"));
        }
    }
    Ok(problems)
}

/// Rows of one tokenizer with one template.
#[derive(Default)]
struct Found {
    /// Number of rows with the tokens of transformers.
    same: usize,
    /// Number of rows that transformers cannot cut either, and that are refused here.
    uncut: usize,
    problems: Vec<String>,
}

fn tokenizer(directory: &Path) -> Result<Tokenizer> {
    let read = |name: &str| fs::read(directory.join(name)).with_context(|| name.to_owned());
    let config: Value = serde_json::from_slice(&read("tokenizer_config.json")?)?;
    let files = TextFiles { tokenizer_config: Some(config.into()), ..TextFiles::default() };
    Ok(Tokenizer::from_json(&read("tokenizer.json")?, files.roles(&Value::Null, &Value::Null))?)
}

/// Rows in which awkward texts are question and trace.
struct Rows {
    encoder: Encoder,
    lead: ForkLead,
    /// Questions and traces; none spells a special token, which would be text here and a token in transformers.
    texts: Vec<(String, String)>,
}

impl Rows {
    fn new(tokenizer: Tokenizer, template: Template, lead: ForkLead) -> Result<Self> {
        let spoilt = |text: String| {
            let names = tokenizer.special_names().into_iter();
            names.fold(text, |text, name| text.replace(&name, &name[1..]))
        };
        let traces: Vec<String> = texts().into_iter().map(spoilt).collect();
        let questions = traces.iter().rev().cloned();
        let texts = questions.zip(traces.iter().cloned()).collect();
        Ok(Self { encoder: Encoder::new(tokenizer, template, &lead, CONTEXT)?, lead, texts })
    }

    fn compare(&self, peer: &mut Peer, directory: &Path) -> Result<Found> {
        let (mut prompts, mut wholes) = (Vec::new(), Vec::new());
        let eos = self.encoder.tokenizer().eos_token();
        for (question, trace) in &self.texts {
            let rendered = self.encoder.rendered(&[user_message(question)])?;
            let ForkLead { before, after } = &self.lead;
            let prompt = format!("{rendered}{before}<think2>{after}");
            wholes.push(format!("{prompt}{trace}{eos}"));
            prompts.push(prompt);
        }
        let start = self.encoder.template().is_plain();
        let mut ask = |texts: &[String]| -> Result<Vec<Vec<u32>>> {
            let reply = peer.ask(&json!({"whole texts": texts, "start": start, "directory": directory}))?;
            Ok(serde_json::from_value(reply["tokens"].clone())?)
        };
        let (prompts, wholes) = (ask(&prompts)?, ask(&wholes)?);
        let mut found = Found::default();
        let fork = self.encoder.lead(1)[0];
        for (((question, trace), prompt), whole) in self.texts.iter().zip(prompts).zip(wholes) {
            match self.row(question, trace) {
                Ok(ours) if ours == (prompt.clone(), whole.clone()) => found.same += 1,
                // No token but the end of sequence behind the prompt; no token in front of the fork but the start.
                Err(DataError::NoTargets { .. }) if whole.len() == prompt.len() + 1 => found.same += 1,
                Err(DataError::EmptyPrompt { .. }) if prompt.len() <= 2 => found.same += 1,
                Err(DataError::NoCut { .. }) if !whole.starts_with(&prompt) => found.uncut += 1,
                Err(DataError::Tokenizer { .. }) if !whole.contains(&fork) => found.uncut += 1,
                ours => found
                    .problems
                    .push(format!("{question:?}, {trace:?}: ours {ours:?}, theirs {:?}", (prompt, whole))),
            }
        }
        found.problems.truncate(3);
        Ok(found)
    }

    /// Token ids up to the trace, and of the whole row.
    fn row(&self, question: &str, trace: &str) -> Result<(Vec<u32>, Vec<u32>), DataError> {
        let record = Record {
            id: "parity".to_owned(),
            question: Some(question.to_owned()),
            messages: None,
            traces: vec![Trace { source: String::new(), text: trace.to_owned() }],
            answer: None,
        };
        let encoded = self.encoder.encode(&record)?;
        let prompt = [encoded.prompt, self.encoder.lead(1)].concat();
        let whole =
            encoded.traces.into_iter().fold(prompt.clone(), |row, trace| [row, trace.tokens].concat());
        Ok((prompt, whole))
    }
}
