//! Cases of the comparison: a model with its tokenizer and template, the inputs, and our results.

use crate::texts::texts;
use anyhow::{Context, Result, anyhow};
use burn::tensor::Device;
use serde_json::{Value, json};
use ssft_wgpu::data::encode::Encoder;
use ssft_wgpu::data::forks::{CoverageGraph, ForkLead, ForkTable};
use ssft_wgpu::data::record::Message;
use ssft_wgpu::data::template::{Template, user_message};
use ssft_wgpu::data::tokenizer::Tokenizer;
use ssft_wgpu::decode::fork::{Piece, Question, RowStart, Settings};
use ssft_wgpu::decode::sample::{Sampling, row_generator};
use ssft_wgpu::decode::{Continuation, decode};
use ssft_wgpu::model::checkpoint::{NamedTensor, load};
use ssft_wgpu::model::config::Preset;
use ssft_wgpu::model::directory::{Carried, model_files};
use ssft_wgpu::model::family::Family;
use ssft_wgpu::model::packing::{Branch, PackedTrees, Tree};
use ssft_wgpu::model::{Decoder, DecoderConfig, Precision, StoredTensors, TensorFile};
use ssft_wgpu::run::store::ModelDirectory;
use ssft_wgpu::run::{QuestionForm, Rendering, encoding};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

/// Largest number of tokens of a continuation, its end included.
pub const MOST: usize = 12;

/// Context of our models, in tokens.
const CONTEXT: usize = 256;

/// A question that is encoded without a template.
pub const PLAIN: &str = "What is 12+35?";

/// Questions of different lengths, so that a batch of `transformers` has padding.
const QUESTIONS: [&str; 3] = ["A", "12+35=", "What is the question?"];

/// A model with its tokenizer, template and forking tokens.
pub struct Case {
    pub name: String,
    pub model: Decoder,
    pub encoder: Encoder,
    lead: ForkLead,
    pub carried: Carried,
    pub precision: Precision,
}

/// Models of every family with random weights. `qwen` is the directory of a Qwen model, whose tokenizer the qwen2 case needs:
/// transformers uses Qwen's normaliser and splitter for every qwen2 directory, whatever its `tokenizer.json` has.
pub fn our_shapes(qwen: &Path) -> Result<Vec<Case>> {
    let bytes = || Tokenizer::bytes(6);
    let qwen = ModelDirectory::read(qwen)?.side.tokenizer.with_forks(6)?;
    let words =
        Tokenizer::train_bytes(&["12+35=47 and 100", "the question, the answer", "Don't don't"], 290, 6)?;
    let base = DecoderConfig {
        hidden_size: 32,
        intermediate_size: 48,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 4,
        head_dim: 8,
        max_position_embeddings: CONTEXT,
        ..DecoderConfig::preset(Preset::Tiny, 0)
    };
    let qwen2 = DecoderConfig {
        family: Family::Qwen2,
        num_key_value_heads: 2,
        tie_word_embeddings: false,
        ..base.clone()
    };
    let qwen3 = DecoderConfig {
        num_key_value_heads: 2,
        family: Family::Qwen3,
        head_dim: 16,
        rope_theta: 1e6,
        ..base.clone()
    };
    let biased = DecoderConfig { num_key_value_heads: 1, attention_bias: true, ..base.clone() };
    let (plain, chat) = (Template::plain, Template::chatml);
    Ok(vec![
        Case::random("llama, tied", &base, bytes()?, plain(), ForkLead::bare())?,
        Case::random("qwen2, untied, grouped", &qwen2, qwen, chat()?, ForkLead::chat())?,
        Case::random("qwen3, grouped", &qwen3, words, chat()?, ForkLead::chat())?,
        Case::random("llama, biased, one key head", &biased, bytes()?, plain(), ForkLead::bare())?,
    ])
}

impl Case {
    fn random(
        name: &str,
        shape: &DecoderConfig,
        tokenizer: Tokenizer,
        template: Template,
        lead: ForkLead,
    ) -> Result<Self> {
        let shape = DecoderConfig { vocab_size: tokenizer.vocab_size(), ..shape.clone() };
        let model = Decoder::init(&shape, 7, &Device::flex());
        let mut tensors = pollster::block_on(TensorFile::of_model(&model, Precision::F32).read())?;
        tensors.iter_mut().enumerate().for_each(|(index, tensor)| stir(index, tensor));
        let model = load(&shape, &StoredTensors::of_host(&tensors)?, None, &Device::flex())?;
        let encoder = Encoder::new(tokenizer, template, &lead, CONTEXT)?;
        let (carried, precision) = (Carried::default(), Precision::F32);
        Ok(Self { name: name.to_owned(), model, encoder, lead, carried, precision })
    }

    /// The model of a directory, loaded as in the program.
    pub fn load(name: &str, directory: &Path) -> Result<Self> {
        Self::load_with_forks(name, directory, 0)
    }

    /// As [`Case::load`], with forking tokens added up to `count`.
    pub fn load_with_forks(name: &str, directory: &Path, count: usize) -> Result<Self> {
        let ModelDirectory { directory, side } = ModelDirectory::read(directory)?;
        let place = ModelDirectory { directory, side: side.with_forks(count, None, 1)? };
        let rendering = Rendering::of_model(&place.side);
        let (encoder, lead) = encoding::of_model(&place.side, &rendering, QuestionForm::Text)?;
        let loaded = place.load(&Device::flex())?;
        let (model, carried, precision) = (loaded.model, loaded.side.carried, loaded.precision);
        Ok(Self { name: name.to_owned(), model, encoder, lead, carried, precision })
    }

    /// Largest difference of a weight of two models, except the embedding and the head, which may differ in rows.
    pub fn apart_from(&self, other: &Self) -> Result<f32> {
        let read = |case: &Self| pollster::block_on(TensorFile::of_model(&case.model, Precision::F32).read());
        let (ours, theirs) = (read(self)?, read(other)?);
        let tables = ["model.embed_tokens.weight", "lm_head.weight"];
        let pairs = ours.iter().zip(&theirs).filter(|(a, _)| !tables.contains(&a.name.as_str()));
        let pairs = pairs.flat_map(|(a, b)| a.values.iter().zip(&b.values));
        Ok(pairs.fold(0.0, |most, (a, b)| f32::max(most, (a - b).abs())))
    }

    /// Writes the model directory.
    pub fn write(&self, directory: &Path) -> Result<()> {
        let forks =
            ForkTable::new(self.encoder.tokenizer().forks(), self.lead.clone(), CoverageGraph::default());
        fs::create_dir_all(directory)?;
        for (name, content) in model_files(&self.model, &self.encoder, &forks, &self.carried, self.precision)?
        {
            pollster::block_on(content.write(&mut fs::File::create(directory.join(name))?))?;
        }
        Ok(())
    }

    pub fn prompts(&self) -> Result<Vec<Vec<u32>>> {
        QUESTIONS.iter().map(|question| Ok(self.encoder.prompt_text("parity", question)?)).collect()
    }

    /// First tokens of the branches: a forking token each, or one ordinary token for a model without forks.
    pub fn leads(&self) -> Vec<Vec<u32>> {
        if self.encoder.tokenizer().forks().is_empty() {
            return vec![vec![66]];
        }
        (0..self.encoder.tokenizer().forks().len()).map(|fork| self.encoder.lead(fork)).collect()
    }

    /// A tree for every question, with a branch for every fork; each branch is longer than the one before.
    pub fn trees(&self) -> Result<Vec<Tree>> {
        let trace: Vec<u32> = (0..MOST as u32).map(|place| 33 + 7 * place % 90).collect();
        let branch = |(fork, lead): (usize, Vec<u32>)| {
            let tokens = [lead, trace[..fork].to_vec()].concat();
            Branch { tokens, targets: Vec::new() }
        };
        let branches: Vec<Branch> = self.leads().into_iter().enumerate().map(branch).collect();
        Ok(self.prompts()?.into_iter().map(|prompt| Tree { prompt, branches: branches.clone() }).collect())
    }

    /// Text of every prompt up to the beginning of a trace, for every fork.
    pub fn whole_texts(&self) -> Result<Vec<String>> {
        let ForkLead { before, after } = &self.lead;
        let mut texts = Vec::new();
        for question in QUESTIONS {
            let rendered = self.encoder.rendered(&[user_message(question)])?;
            let forks = 1..=self.encoder.tokenizer().forks().len();
            texts.extend(forks.map(|fork| format!("{rendered}{before}<think{fork}>{after}")));
        }
        Ok(texts)
    }

    /// Greedy continuations of every prompt with every fork.
    pub fn decode(&self, eos: u32) -> Result<Vec<Continuation>> {
        let settings =
            Settings { sampling: Sampling::GREEDY, eos: vec![eos], stop: vec![], max_tokens: MOST };
        let rows: Vec<RowStart> =
            self.leads().into_iter().map(|lead| RowStart { lead, rng: row_generator(0, 0, 0, 0) }).collect();
        let questions: Vec<Question> =
            self.prompts()?.into_iter().map(|prompt| Question { prompt, rows: rows.clone() }).collect();
        let listen = async |_: Piece<'_>| ControlFlow::Continue(());
        let tokenizer = self.encoder.tokenizer();
        let decoded = pollster::block_on(decode(&self.model, tokenizer, &questions, &settings, listen))?;
        Ok(decoded.into_iter().flatten().collect())
    }

    /// Every prompt followed by every lead.
    pub fn prompted(&self) -> Result<Vec<Vec<u32>>> {
        Ok(crossed(&self.prompts()?, &self.leads()))
    }

    /// Token that ends a continuation. A random model rarely predicts the real end token, so another one is used: of the tokens in
    /// the first fork's continuation, the one whose first occurrence is last.
    pub fn stop(&self) -> Result<u32> {
        let endless = self.decode(u32::MAX)?;
        let said = endless.first().map_or(&[][..], |first| &first.tokens);
        let last = said.iter().max_by_key(|token| said.iter().position(|other| other == *token));
        last.copied().context("the first fork has no token")
    }

    /// Request for `logits.py`.
    pub fn request(&self, directory: &Path) -> Result<Value> {
        let names: Vec<String> =
            (1..=self.encoder.tokenizer().forks().len()).map(|fork| format!("<think{fork}>")).collect();
        let prompts = self.prompted()?;
        Ok(json!({
            "directory": directory,
            "forks": names,
            "texts": texts(),
            "plain": PLAIN,
            "whole": self.whole_texts()?,
            "start": self.encoder.template().is_plain(),
            "rows": self.rows()?,
            "prompts": prompts,
            "stop": self.stop()?,
            "most": MOST,
            "before": self.lead.before,
            "chats": chats().iter().map(|chat| json!(chat)).collect::<Vec<_>>(),
        }))
    }

    /// Each branch as a separate row of prompt and branch, as `transformers` computes it.
    pub fn rows(&self) -> Result<Vec<Vec<u32>>> {
        let rows = |tree: Tree| {
            tree.branches.into_iter().map(move |branch| [tree.prompt.clone(), branch.tokens].concat())
        };
        Ok(self.trees()?.into_iter().flat_map(rows).collect())
    }
}

/// Every prompt followed by every lead.
fn crossed(prompts: &[Vec<u32>], leads: &[Vec<u32>]) -> Vec<Vec<u32>> {
    prompts.iter().flat_map(|prompt| leads.iter().map(|lead| [prompt.as_slice(), lead].concat())).collect()
}

/// Chats with content that template engines may render differently.
pub fn chats() -> Vec<Vec<Message>> {
    vec![
        vec![Message::new("user", "12+35=")],
        vec![Message::new("user", "  {{ x }} {% if %} <b>&amp;\"'\\n\r\n\u{301}日本\n ")],
        vec![
            Message::new("system", "Be brief.\n"),
            Message::new("user", "1+1?"),
            Message::new("assistant", " 2 "),
            Message::new("user", "<think>and 2+2?</think>"),
        ],
    ]
}

/// Adds a different number to every weight: norms of ones, biases of zeros and a small embedding would hide an error in reading
/// them.
fn stir(index: usize, tensor: &mut NamedTensor) {
    let size = if tensor.name.contains("embed") { 0.6 } else { 0.2 };
    for (place, value) in tensor.values.iter_mut().enumerate() {
        let angle = (place * 7919 + index * 104_729) % 65_537;
        *value += size * (angle as f32).sin();
    }
}

/// Logits of all tokens, in the order of the packed trees.
pub fn logits(model: &Decoder, trees: &[Tree]) -> Result<Vec<Vec<f64>>> {
    let logits = model.forward(&PackedTrees::new(trees)).matmul(model.head().transpose());
    let [_, vocab] = logits.dims();
    let values = logits.into_data().try_to_vec::<f32>().map_err(|error| anyhow!("{error:?}"))?;
    Ok(values.chunks(vocab).map(|row| row.iter().map(|&value| f64::from(value)).collect()).collect())
}
