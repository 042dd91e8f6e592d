//! Reading a Hugging Face directory: first what it is and how it reads text, then its weights.

use crate::exit::Failure;
use crate::files;
use burn::tensor::Device;
use serde_json::Value;
use ssft_data::forks::ForkTable;
use ssft_data::model_files::TextFiles;
use ssft_data::tokenizer::Tokenizer;
use ssft_model::added::AddedTokens;
use ssft_model::checkpoint::load;
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors};
use ssft_train::directory::Carried;
use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

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
    /// Where it is.
    pub directory: PathBuf,
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
    /// Reads what `place` names: the directory of a model, of a checkpoint, or of a run, which stands for its final model or
    /// else its newest checkpoint.
    ///
    /// # Errors
    /// [`Failure::Usage`] names the file that is missing or damaged.
    pub fn read(place: &Path) -> Result<Self, Failure> {
        let directory = &model_of(place)?;
        let located = |error: &dyn Display| Failure::Usage(format!("{}: {error}", directory.display()));
        let config = json(directory, "config.json")?
            .ok_or_else(|| located(&"there is no config.json; give the directory of a Hugging Face model"))?;
        let shape = DecoderConfig::from_hugging_face(&config).map_err(|error| located(&error))?;
        let jinja = bytes(directory, "chat_template.jinja")?.map(String::from_utf8).transpose();
        let text = TextFiles {
            tokenizer_config: json(directory, "tokenizer_config.json")?,
            special_tokens_map: json(directory, "special_tokens_map.json")?,
            template_file: jinja
                .map_err(|_| located(&"chat_template.jinja is no UTF-8; save it as UTF-8"))?,
        };
        let tokenizer = bytes(directory, "tokenizer.json")?.ok_or_else(|| {
            located(&"there is no tokenizer.json; let transformers write one (AutoTokenizer.from_pretrained, then save_pretrained)")
        })?;
        let tokenizer =
            Tokenizer::from_json(&tokenizer, text.roles(&config)).map_err(|error| located(&error))?;
        let template = text.template().map_err(|error| located(&error))?.map(str::to_owned);
        let forks = bytes(directory, "forks.json")?.map(|bytes| ForkTable::from_json("forks.json", &bytes));
        let forks = forks.transpose().map_err(|error| located(&error))?;
        if forks.as_ref().is_some_and(|table| !table.forks.iter().map(|fork| &fork.id).eq(tokenizer.forks()))
        {
            return Err(located(
                &"forks.json names other forking tokens than tokenizer.json; use the files that belong together",
            ));
        }
        let (tokens, rows) = (tokenizer.vocab_size(), shape.vocab_size);
        if tokens > rows {
            return Err(located(&format!(
                "tokenizer.json has {tokens} tokens, but the model only {rows} (vocab_size in config.json); use the files that belong together"
            )));
        }
        let generation = json(directory, "generation_config.json")?;
        let carried = Carried { config: Some(config), generation, text };
        Ok(Self { directory: directory.to_owned(), shape, tokenizer, template, forks, carried, added: None })
    }

    /// Gives the model forking tokens up to `count`, which start as the token called `like`, or else as the first of
    /// `<think>`, `<|im_start|>`, the beginning and the end of a sequence that it knows. Those it has stay.
    ///
    /// # Errors
    /// [`Failure::Usage`] if it has no token `like`.
    pub fn with_forks(mut self, count: usize, like: Option<&str>, seed: u64) -> Result<Self, Failure> {
        let there = self.tokenizer.forks().len();
        if count <= there {
            return Ok(self);
        }
        let unknown = |name: &&&str| self.tokenizer.token_id(name).is_none();
        if let Some(name) = self.carried.text.named_tokens().iter().find(unknown) {
            return Err(Failure::Usage(format!(
                "{}: the token {name:?} is not in tokenizer.json, so that a forking token would get its number; let transformers write the tokenizer again (AutoTokenizer.from_pretrained, then save_pretrained)",
                self.directory.display()
            )));
        }
        let own = [self.tokenizer.bos_token(), Some(self.tokenizer.eos_token())].into_iter().flatten();
        let known = |name: &&str| self.tokenizer.token_id(name).is_some();
        let name =
            like.or_else(|| OPENINGS.into_iter().chain(own).find(known)).unwrap_or_default().to_owned();
        let like = self.tokenizer.token_id(&name).ok_or_else(|| {
            Failure::Usage(format!(
                "{}: the model has no token {name:?} for --fork-init; name one that its tokenizer.json has",
                self.directory.display()
            ))
        })?;
        self.tokenizer = self.tokenizer.with_forks(count).map_err(Failure::usage)?;
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

    /// Reads the weights on to `device`.
    ///
    /// # Errors
    /// [`Failure::Usage`] names what is missing or damaged.
    pub fn load(self, device: &Device) -> Result<LoadedModel, Failure> {
        let name = self.directory.display();
        let checkpoint = self.directory.join("trainer").exists();
        let remedy = match checkpoint {
            true => "remove this checkpoint to resume from an earlier one",
            false => "fetch the model again, or let save_pretrained write it as safetensors",
        };
        let located = |error: &dyn Display| Failure::Usage(format!("{name}: {error}; {remedy}"));
        let stored = StoredTensors::in_directory(&self.directory).map_err(|error| located(&error))?;
        let added = self.added.as_ref().map(|(added, _)| added);
        let model = load(&self.shape, &stored, added, device).map_err(|error| located(&error))?;
        Ok(LoadedModel { model, precision: stored.precision(), side: self })
    }
}

/// The model directory that `place` stands for.
fn model_of(place: &Path) -> Result<PathBuf, Failure> {
    if !files::is_run(place) {
        return Ok(place.to_owned());
    }
    let model = place.join("model");
    if model.exists() {
        return Ok(model);
    }
    let newest = files::checkpoints(place).ok().and_then(|mut checkpoints| checkpoints.pop());
    newest.map(|(_, path)| path).ok_or_else(|| {
        Failure::Usage(format!(
            "{}: the run has neither a model nor a checkpoint yet; let it go on",
            place.display()
        ))
    })
}

/// The bytes of a file, if it is there.
fn bytes(directory: &Path, name: &str) -> Result<Option<Vec<u8>>, Failure> {
    let path = directory.join(name);
    match fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::Usage(format!(
            "{}: cannot be read ({error}); give a model directory",
            path.display()
        ))),
    }
}

/// What a JSON file says, if it is there.
fn json(directory: &Path, name: &str) -> Result<Option<Value>, Failure> {
    let Some(bytes) = bytes(directory, name)? else { return Ok(None) };
    let refused = |what: String| {
        Failure::Usage(format!("{}: {what}; fetch or write the model again", directory.join(name).display()))
    };
    match serde_json::from_slice(&bytes) {
        Ok(value @ Value::Object(_)) => Ok(Some(value)),
        Ok(_) => Err(refused("not a JSON object".to_owned())),
        Err(error) => Err(refused(format!("not JSON ({error})"))),
    }
}
