//! A Hugging Face model directory, read: first what it is and how it reads text, then its weights.
//!
//! Files come by name from wherever a face keeps them: a disk, or what somebody dropped on a page.

use super::error::DirectoryError;
use super::text_files::TextFiles;
use crate::added::AddedTokens;
use crate::checkpoint::{CheckpointError, load};
use crate::{Decoder, DecoderConfig, Precision, StoredTensors};
use burn::tensor::Device;
use serde_json::Value;
use ssft_data::forks::ForkTable;

use ssft_data::tokenizer::Tokenizer;
use std::io;

/// The content of the file of this name, if it is there.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Option<Vec<u8>>>;

/// The files that a model came with and that what is written goes on from: what is in them and not known here stays.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carried {
    /// `config.json`.
    pub config: Option<Value>,
    /// `generation_config.json`.
    pub generation: Option<Value>,
    /// Those of the tokenizer.
    pub text: TextFiles,
}

/// A model directory in memory.
#[derive(Debug)]
pub struct LoadedModel {
    /// The weights.
    pub model: Decoder,
    /// The type that they are stored in.
    pub precision: Precision,
    /// Everything else.
    pub side: TextSide,
}

/// A model directory but for its weights.
#[derive(Debug)]
pub struct TextSide {
    /// The shape as stored.
    pub shape: DecoderConfig,
    /// Its tokenizer.
    pub tokenizer: Tokenizer,
    /// The text of its chat template, if it has one.
    pub template: Option<String>,
    /// Its forks, if it was trained with any.
    pub forks: Option<ForkTable>,
    /// Its files, for what is written later.
    pub carried: Carried,
    /// Tokens that were added and have no rows yet, and the name of the one whose rows they start from.
    added: Option<(AddedTokens, String)>,
}

/// Tokens that open a part of an answer, then those that every text has: the first that a model knows is what its forking
/// tokens start from.
const OPENINGS: [&str; 2] = ["<think>", "<|im_start|>"];

impl TextSide {
    /// Reads everything but the weights.
    ///
    /// # Errors
    /// [`DirectoryError`] names the file that is missing or damaged.
    pub fn read(files: ReadFile<'_>) -> Result<Self, DirectoryError> {
        let config = json(files, "config.json")?.ok_or_else(|| {
            DirectoryError::whole("there is no config.json; give the directory of a Hugging Face model")
        })?;
        let shape = DecoderConfig::from_hugging_face(&config).map_err(DirectoryError::whole)?;
        let jinja = bytes(files, "chat_template.jinja")?.map(String::from_utf8).transpose();
        let text = TextFiles {
            tokenizer_config: json(files, "tokenizer_config.json")?,
            special_tokens_map: json(files, "special_tokens_map.json")?,
            template_file: jinja
                .map_err(|_| DirectoryError::whole("chat_template.jinja is no UTF-8; save it as UTF-8"))?,
        };
        let tokenizer = bytes(files, "tokenizer.json")?.ok_or_else(|| {
            DirectoryError::whole(
                "there is no tokenizer.json; let transformers write one (AutoTokenizer.from_pretrained, then save_pretrained)",
            )
        })?;
        let tokenizer =
            Tokenizer::from_json(&tokenizer, text.roles(&config)).map_err(DirectoryError::whole)?;
        let template = text.template().map_err(DirectoryError::whole)?.map(str::to_owned);
        let forks = bytes(files, "forks.json")?.map(|bytes| ForkTable::from_json("forks.json", &bytes));
        let forks = forks.transpose().map_err(DirectoryError::whole)?;
        if forks.as_ref().is_some_and(|table| !table.forks.iter().map(|fork| &fork.id).eq(tokenizer.forks()))
        {
            return Err(DirectoryError::whole(
                "forks.json names other forking tokens than tokenizer.json; use the files that belong together",
            ));
        }
        let (tokens, rows) = (tokenizer.vocab_size(), shape.vocab_size);
        if tokens > rows {
            return Err(DirectoryError::whole(format!(
                "tokenizer.json has {tokens} tokens, but the model only {rows} (vocab_size in config.json); use the files that belong together"
            )));
        }
        let generation = json(files, "generation_config.json")?;
        let carried = Carried { config: Some(config), generation, text };
        Ok(Self { shape, tokenizer, template, forks, carried, added: None })
    }

    /// Gives the model forking tokens up to `count`, which start as the token called `like`, or else as the first of
    /// `<think>`, `<|im_start|>`, the beginning and the end of a sequence that it knows. Those it has stay.
    ///
    /// # Errors
    /// [`DirectoryError`] if it has no token `like`, or one of its own would share a number with a new one.
    pub fn with_forks(mut self, count: usize, like: Option<&str>, seed: u64) -> Result<Self, DirectoryError> {
        let there = self.tokenizer.forks().len();
        if count <= there {
            return Ok(self);
        }
        let unknown = |name: &&&str| self.tokenizer.token_id(name).is_none();
        if let Some(name) = self.carried.text.named_tokens().iter().find(unknown) {
            return Err(DirectoryError::whole(format!(
                "the token {name:?} is not in tokenizer.json, so that a forking token would get its number; let transformers write the tokenizer again (AutoTokenizer.from_pretrained, then save_pretrained)"
            )));
        }
        let own = [self.tokenizer.bos_token(), Some(self.tokenizer.eos_token())].into_iter().flatten();
        let known = |name: &&str| self.tokenizer.token_id(name).is_some();
        let name =
            like.or_else(|| OPENINGS.into_iter().chain(own).find(known)).unwrap_or_default().to_owned();
        let like = self.tokenizer.token_id(&name).ok_or_else(|| {
            DirectoryError::whole(format!(
                "the model has no token {name:?} for --fork-init; name one that its tokenizer.json has"
            ))
        })?;
        self.tokenizer = self.tokenizer.with_forks(count).map_err(DirectoryError::whole)?;
        let (ids, tokens) = (&self.tokenizer.forks()[there..], self.tokenizer.vocab_size());
        self.added = Some((AddedTokens::new(&self.shape, ids, like, tokens, seed), name));
        Ok(self)
    }

    /// The forking tokens that the model did not come with, and the name of the token that they start from.
    pub fn added(&self) -> Option<(&AddedTokens, &str)> {
        self.added.as_ref().map(|(added, name)| (added, name.as_str()))
    }

    /// The shape of the model with the rows of added tokens.
    pub fn grown_shape(&self) -> DecoderConfig {
        let rows = self.added.as_ref().map_or(self.shape.vocab_size, |(added, _)| added.rows);
        DecoderConfig { vocab_size: rows, ..self.shape.clone() }
    }

    /// Puts the weights that are `stored` on to `device`.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(self, stored: &StoredTensors, device: &Device) -> Result<LoadedModel, CheckpointError> {
        let added = self.added.as_ref().map(|(added, _)| added);
        let model = load(&self.shape, stored, added, device)?;
        Ok(LoadedModel { model, precision: stored.precision(), side: self })
    }
}

/// The bytes of a file, if it is there.
fn bytes(files: ReadFile<'_>, name: &'static str) -> Result<Option<Vec<u8>>, DirectoryError> {
    files(name).map_err(|error| {
        DirectoryError::of(name, format!("cannot be read ({error}); give a model directory"))
    })
}

/// What a JSON file says, if it is there.
fn json(files: ReadFile<'_>, name: &'static str) -> Result<Option<Value>, DirectoryError> {
    let Some(bytes) = bytes(files, name)? else { return Ok(None) };
    let refused = |what: String| DirectoryError::of(name, format!("{what}; fetch or write the model again"));
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err(refused("not a JSON object".to_owned())),
        Err(error) => Err(refused(format!("not JSON ({error})"))),
    }
}
