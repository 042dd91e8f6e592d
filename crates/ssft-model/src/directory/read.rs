//! Reading a Hugging Face model directory in two steps: first everything but the weights, then the weights.
//!
//! The caller provides the files by name, from a disk or from files opened in a web page.

use super::text_files::{TextFiles, value};
use crate::added::AddedTokens;
use crate::checkpoint::load;
use crate::config::DecoderConfig;
use crate::decoder::Decoder;
use crate::error::{CheckpointError, DirectoryError};
use crate::precision::Precision;
use crate::stored::StoredTensors;
use burn::tensor::Device;
use ssft_data::forks::ForkTable;
use ssft_data::json::Document;
use ssft_data::tokenizer::{Roles, Tokenizer};
use std::io;

/// Function that returns the content of the file with this name, or `None` if there is no such file.
pub type ReadFile<'a> = &'a dyn Fn(&str) -> io::Result<Option<Vec<u8>>>;

/// Files that a model was loaded with. A directory written later starts from them, so that unsupported settings are kept.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Carried {
    /// `config.json`.
    pub config: Option<Document>,
    /// `generation_config.json`.
    pub generation: Option<Document>,
    /// Files of the tokenizer.
    pub text: TextFiles,
}

/// A loaded model directory.
#[derive(Debug)]
pub struct LoadedModel {
    /// The weights.
    pub model: Decoder,
    /// Type of the weights in the files.
    pub precision: Precision,
    /// Everything but the weights.
    pub side: TextSide,
}

/// A model directory without its weights; [`crate::directory`] has an example.
#[derive(Debug)]
pub struct TextSide {
    /// Shape of the stored model.
    pub shape: DecoderConfig,
    /// Tokenizer.
    pub tokenizer: Tokenizer,
    /// Source of the chat template, if there is one.
    pub template: Option<String>,
    /// Content of `forks.json`, if the model was trained with forks.
    pub forks: Option<ForkTable>,
    /// Files that a directory written later starts from.
    pub carried: Carried,
    /// Added tokens, which get rows when the weights are loaded, and the name of the token whose rows are copied.
    added: Option<(AddedTokens, String)>,
}

/// Tokens that open a part of an answer. New forking tokens are copies of the first of these that the vocabulary has.
const OPENINGS: [&str; 2] = ["<think>", "<|im_start|>"];

impl TextSide {
    /// Reads everything but the weights.
    ///
    /// # Errors
    /// [`DirectoryError`] if a file is missing or damaged, or two files do not belong together.
    pub fn read(files: ReadFile<'_>) -> Result<Self, DirectoryError> {
        let config = json(files, "config.json")?.ok_or_else(|| {
            DirectoryError::whole("there is no config.json; give the directory of a Hugging Face model")
        })?;
        let shape = DecoderConfig::from_hugging_face(config.value()).map_err(DirectoryError::whole)?;
        let generation = json(files, "generation_config.json")?;
        let text = text_files(files)?;
        let roles = text.roles(config.value(), value(&generation));
        let tokenizer = tokenizer(files, roles)?;
        let template = text.template().map_err(DirectoryError::whole)?.map(str::to_owned);
        let forks = forks(files, &tokenizer)?;
        check_vocabulary(&tokenizer, &shape)?;
        let carried = Carried { config: Some(config), generation, text };
        Ok(Self { shape, tokenizer, template, forks, carried, added: None })
    }

    /// Adds forking tokens until the model has `count`; existing ones are kept. New ones start as copies of the token `like`
    /// or, by default, of the first of `<think>`, `<|im_start|>`, the beginning and the end of a sequence that the
    /// vocabulary has.
    ///
    /// # Errors
    /// [`DirectoryError`] if there is no token `like`, or if a token named in the other files is missing from
    /// `tokenizer.json`, so that transformers would give it the id of a new one.
    pub fn with_forks(mut self, count: usize, like: Option<&str>, seed: u64) -> Result<Self, DirectoryError> {
        let existing = self.tokenizer.forks().len();
        if count <= existing {
            return Ok(self);
        }
        self.check_named_tokens()?;
        let name = self.token_to_copy(like);
        let like = self.tokenizer.token_id(&name).ok_or_else(|| {
            DirectoryError::whole(format!(
                "the model has no token {name:?} for `fork-init`; name one that its tokenizer.json has"
            ))
        })?;
        self.tokenizer = self.tokenizer.with_forks(count).map_err(DirectoryError::whole)?;
        let (ids, tokens) = (&self.tokenizer.forks()[existing..], self.tokenizer.vocab_size());
        self.added = Some((AddedTokens::new(&self.shape, ids, like, tokens, seed), name));
        Ok(self)
    }

    /// Refuses a directory that names tokens which `tokenizer.json` does not have.
    fn check_named_tokens(&self) -> Result<(), DirectoryError> {
        let named = self.carried.text.named_tokens();
        match named.iter().find(|name| self.tokenizer.token_id(name).is_none()) {
            Some(name) => Err(DirectoryError::whole(format!(
                "the token {name:?} is not in tokenizer.json, so that a forking token would get its number; let transformers write the tokenizer again (AutoTokenizer.from_pretrained, then save_pretrained)"
            ))),
            None => Ok(()),
        }
    }

    /// Name of the token that new forking tokens are copies of: `like`, or the default of [`TextSide::with_forks`].
    fn token_to_copy(&self, like: Option<&str>) -> String {
        let ends = [self.tokenizer.bos_token(), Some(self.tokenizer.eos_token())].into_iter().flatten();
        let known = |name: &&str| self.tokenizer.token_id(name).is_some();
        like.or_else(|| OPENINGS.into_iter().chain(ends).find(known)).unwrap_or_default().to_owned()
    }

    /// Forking tokens added by [`TextSide::with_forks`], and the name of the token that they are copies of.
    pub fn added(&self) -> Option<(&AddedTokens, &str)> {
        self.added.as_ref().map(|(added, name)| (added, name.as_str()))
    }

    /// Shape of the model with the rows of added tokens.
    pub fn grown_shape(&self) -> DecoderConfig {
        let rows = self.added.as_ref().map_or(self.shape.vocab_size, |(added, _)| added.rows);
        DecoderConfig { vocab_size: rows, ..self.shape.clone() }
    }

    /// Loads the weights in `stored` to `device`.
    ///
    /// # Errors
    /// As [`load`].
    pub fn load(self, stored: &StoredTensors, device: &Device) -> Result<LoadedModel, CheckpointError> {
        let added = self.added.as_ref().map(|(added, _)| added);
        let model = load(&self.shape, stored, added, device)?;
        Ok(LoadedModel { model, precision: stored.precision(), side: self })
    }
}

/// Reads the text files other than `tokenizer.json`.
fn text_files(files: ReadFile<'_>) -> Result<TextFiles, DirectoryError> {
    let jinja = bytes(files, "chat_template.jinja")?.map(String::from_utf8).transpose();
    Ok(TextFiles {
        tokenizer_config: json(files, "tokenizer_config.json")?,
        special_tokens_map: json(files, "special_tokens_map.json")?,
        template_file: jinja
            .map_err(|_| DirectoryError::whole("chat_template.jinja is no UTF-8; save it as UTF-8"))?,
    })
}

fn tokenizer(files: ReadFile<'_>, roles: Roles) -> Result<Tokenizer, DirectoryError> {
    let json = bytes(files, "tokenizer.json")?.ok_or_else(|| {
        DirectoryError::whole(
            "there is no tokenizer.json; let transformers write one (AutoTokenizer.from_pretrained, then save_pretrained)",
        )
    })?;
    Tokenizer::from_json(&json, roles).map_err(DirectoryError::whole)
}

/// Reads `forks.json`, whose forking tokens have to be those of the tokenizer.
fn forks(files: ReadFile<'_>, tokenizer: &Tokenizer) -> Result<Option<ForkTable>, DirectoryError> {
    let table = bytes(files, "forks.json")?.map(|bytes| ForkTable::from_json("forks.json", &bytes));
    let table = table.transpose().map_err(DirectoryError::whole)?;
    if table.as_ref().is_some_and(|table| !table.forks.iter().map(|fork| &fork.id).eq(tokenizer.forks())) {
        return Err(DirectoryError::whole(
            "forks.json names other forking tokens than tokenizer.json; use the files that belong together",
        ));
    }
    Ok(table)
}

/// Refuses a tokenizer with more tokens than the embedding has rows.
fn check_vocabulary(tokenizer: &Tokenizer, shape: &DecoderConfig) -> Result<(), DirectoryError> {
    let (tokens, rows) = (tokenizer.vocab_size(), shape.vocab_size);
    if tokens <= rows {
        return Ok(());
    }
    Err(DirectoryError::whole(format!(
        "tokenizer.json has {tokens} tokens, but the model only {rows} (vocab_size in config.json); use the files that belong together"
    )))
}

/// The bytes of a file, if it exists.
fn bytes(files: ReadFile<'_>, name: &'static str) -> Result<Option<Vec<u8>>, DirectoryError> {
    files(name).map_err(|error| {
        DirectoryError::of(name, format!("cannot be read ({error}); give a model directory"))
    })
}

/// Content of a JSON file, if it exists.
fn json(files: ReadFile<'_>, name: &'static str) -> Result<Option<Document>, DirectoryError> {
    let Some(bytes) = bytes(files, name)? else { return Ok(None) };
    let refused = |what: String| DirectoryError::of(name, format!("{what}; fetch or write the model again"));
    Document::parse(&bytes).map(Some).map_err(refused)
}
