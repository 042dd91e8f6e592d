//! Text to token ids and back, with forking tokens that no text can produce.
//!
//! One vocabulary, three ways in:
//!
//! | input | special tokens | forking tokens |
//! |---|---|---|
//! | [`Tokenizer::encode_text`]: questions, traces | stay text | stay text |
//! | [`Tokenizer::encode_template`]: a rendered chat template | recognised | stay text |
//! | [`Tokenizer::forks`]: the trainer and the decoder | - | inserted by id |

mod build;

use crate::error::DataError;
use crate::forks::{fork_index, fork_name};
use crate::words::one_line;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokenizers::AddedToken;

/// A Hugging Face tokenizer with N forking tokens.
///
/// It holds the same vocabulary twice. Text is encoded by `text`, in which every special token is matched as
/// ordinary characters. Templates are encoded by `template`, in which only the forking tokens count as
/// special, so that only they are left alone; removing their entries instead would move the ids of the
/// tokens behind them.
#[derive(Debug, Clone)]
pub struct Tokenizer {
    text: tokenizers::Tokenizer,
    template: tokenizers::Tokenizer,
    forks: Vec<u32>,
    bos: Option<String>,
    unk: Option<String>,
    eos: Special,
    pad: Special,
    rows: usize,
}

#[derive(Debug, Clone)]
struct Special {
    name: String,
    id: u32,
}

/// Names of the special tokens with a role, which `tokenizer.json` does not tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Beginning of a sequence.
    pub bos: Option<String>,
    /// End of a sequence.
    pub eos: Option<String>,
    /// The end's id, for models of which no file has its name.
    pub eos_id: Option<u32>,
    /// Fills unused places.
    pub pad: Option<String>,
    /// Stands for what the vocabulary lacks.
    pub unk: Option<String>,
}

/// End of sequence of a model that names none, and of the tokenizers made here.
const END_OF_TEXT: &str = "<|endoftext|>";

const REMEDY: &str = "use the tokenizer files of a Hugging Face model as they were published";

fn broken(reason: String) -> DataError {
    damaged(reason, REMEDY)
}

fn damaged(reason: String, remedy: &'static str) -> DataError {
    DataError::ModelFile { file: "tokenizer.json".to_owned(), reason, remedy }
}

fn failed(action: &'static str) -> impl Fn(tokenizers::Error) -> DataError {
    move |error| DataError::Tokenizer { action, reason: one_line(&error.to_string()) }
}

/// Turns tokens into text one by one; a character whose bytes are spread over several tokens comes with the last.
///
/// The library's own stream gives up on bytes that are no UTF-8, which a model may well produce; here they show as U+FFFD.
#[derive(Debug)]
pub struct TextStream<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens of the last piece, since some decoders treat a first token differently, then those not heard yet.
    tokens: Vec<u32>,
    /// How many of them are the last piece's.
    heard: usize,
}

impl TextStream<'_> {
    /// The text that `token` completes: often all of its own, sometimes none.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library fails.
    pub fn push(&mut self, token: u32) -> Result<Option<String>, DataError> {
        self.tokens.push(token);
        let text = self.tokenizer.decode(&self.tokens)?;
        if text.ends_with(char::REPLACEMENT_CHARACTER) {
            return Ok(None);
        }
        let heard = self.tokenizer.decode(&self.tokens[..self.heard])?;
        let news = match text.strip_prefix(&heard) {
            Some(news) => news.to_owned(),
            None => self.tokenizer.decode(&self.tokens[self.heard..])?,
        };
        if news.is_empty() {
            // A token without text, special or unknown.
            self.tokens.pop();
            return Ok(None);
        }
        self.tokens.drain(..self.heard);
        self.heard = self.tokens.len();
        Ok(Some(news))
    }
}

impl Tokenizer {
    /// Reads the content of a `tokenizer.json`; `ssft_model::directory::text_files::TextFiles::roles` finds the roles in
    /// the files beside it. Forking tokens `<think1>` .. `<thinkN>` are recognised.
    ///
    /// # Errors
    /// [`DataError::ModelFile`] if it is no tokenizer, the forking tokens have a gap, or no end of sequence is known.
    pub fn from_json(json: &[u8], roles: Roles) -> Result<Self, DataError> {
        let json: Value = serde_json::from_slice(json)
            .map_err(|error| broken(format!("not JSON ({})", one_line(&error.to_string()))))?;
        if !json.is_object() {
            return Err(broken("not a JSON object".to_owned()));
        }
        Self::assemble(json, roles)
    }

    /// Both tokenizers from the value of a `tokenizer.json`.
    fn assemble(mut json: Value, roles: Roles) -> Result<Self, DataError> {
        // Settings for batches of some other program: they would cut or pad a trace without a word.
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        // Other tokens at every reading: no row could be told again.
        if let Some(dropout) = json.get_mut("model").and_then(|model| model.get_mut("dropout")) {
            *dropout = Value::Null;
        }
        mark_special(&mut json, |fork, special| fork || special);
        let text = load(&json)?;
        mark_special(&mut json, |fork, _| fork);
        let template = load(&json)?;
        check_ids(&json, &text)?;
        let eos = end_of_sequence(&text, roles.eos, roles.eos_id)?;
        let pad = roles.pad.and_then(|name| special(&text, name)).unwrap_or_else(|| eos.clone());
        let forks = forks_of(&text)?;
        let rows = text.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        Ok(Self { text, template, forks, bos: roles.bos, unk: roles.unk, eos, pad, rows })
    }

    /// The same tokenizer with at least `count` forking tokens: those it has, and new ones behind the
    /// largest id. The model needs [`Tokenizer::vocab_size`] embedding rows afterwards.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library refuses a token, [`DataError::ModelFile`] if the ids of the vocabulary have a
    /// hole that it would fill with one that is taken.
    pub fn with_forks(self, count: usize) -> Result<Self, DataError> {
        if count <= self.forks.len() {
            return Ok(self);
        }
        let (had, rows) = (self.forks.len(), self.rows);
        if let Some(name) = (had..count).map(fork_name).find(|name| self.text.token_to_id(name).is_some()) {
            return Err(broken(format!("{name} is an entry of the vocabulary, but no special token")));
        }
        let (eos, pad) = (Some(self.eos.name), Some(self.pad.name));
        let roles = Roles { bos: self.bos, eos, eos_id: None, pad, unk: self.unk };
        let mut grown = self.text;
        grown.add_special_tokens(special_tokens((0..count).map(fork_name))).map_err(failed("add forks"))?;
        let json = serde_json::to_value(&grown).map_err(|e| broken(e.to_string()))?;
        let grown = Self::assemble(json, roles)?;
        // The library numbers new tokens from the count of those there are; where numbers are left out, that is taken.
        match grown.forks[had..].iter().find(|&&id| (id as usize) < rows) {
            Some(id) => Err(broken(format!(
                "ids are left out below {rows}, so that a new token would get {id}, which another one has"
            ))),
            None => Ok(grown),
        }
    }

    /// The text of `tokenizer.json`, which Python's `tokenizers` and `transformers` read.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library cannot write it.
    pub fn to_json(&self) -> Result<String, DataError> {
        self.text.to_string(true).map_err(failed("write its file"))
    }

    /// The tokens of ordinary text: no special token ever comes out, whatever the text spells.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library fails; it does not on a byte-level vocabulary.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, DataError> {
        encode(&self.text, text, "encode the text")
    }

    /// The tokens of a rendered chat template: its markers become special tokens, but `<think1>` stays text.
    /// As everywhere in the Hugging Face world, a message that spells a marker becomes one too.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_template(&self, rendered: &str) -> Result<Vec<u32>, DataError> {
        encode(&self.template, rendered, "encode the prompt")
    }

    /// The text of `tokens`, without special and forking tokens; ids outside the vocabulary (a model may
    /// have spare embedding rows) are skipped, and broken UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library fails.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, DataError> {
        guarded("decode the tokens", || self.text.decode(tokens, true))
    }

    /// The text of tokens as they come one by one, as [`Tokenizer::decode`] gives it.
    pub fn stream(&self) -> TextStream<'_> {
        TextStream { tokenizer: self, tokens: Vec::new(), heard: 0 }
    }

    /// Ids of the forking tokens, `<think1>` first.
    pub fn forks(&self) -> &[u32] {
        &self.forks
    }

    /// Id of the end of a sequence.
    pub fn eos(&self) -> u32 {
        self.eos.id
    }

    /// Name of the end of a sequence.
    pub fn eos_token(&self) -> &str {
        &self.eos.name
    }

    /// Id that fills unused places; the end of sequence if the tokenizer has no other.
    pub fn pad(&self) -> u32 {
        self.pad.id
    }

    /// Name of the padding token.
    pub fn pad_token(&self) -> &str {
        &self.pad.name
    }

    /// Id of the beginning of a sequence, if the tokenizer's own rule puts it in front of every text (Llama's does). It
    /// stands in front of plain prompts; a chat template writes its own.
    pub fn start(&self) -> Option<u32> {
        let bos = self.token_id(self.bos.as_deref()?)?;
        // The library's rule for texts, on a text of nothing.
        let alone = self.text.encode_fast("", true).ok()?;
        (alone.get_ids().first() == Some(&bos)).then_some(bos)
    }

    /// Name of the beginning of a sequence, if the tokenizer has one.
    pub fn bos_token(&self) -> Option<&str> {
        self.bos.as_deref()
    }

    /// Name of the token for what the vocabulary lacks, if the model has one.
    pub fn unk_token(&self) -> Option<&str> {
        self.unk.as_deref()
    }

    /// Number of embedding rows the vocabulary needs: the largest id + 1.
    pub fn vocab_size(&self) -> usize {
        self.rows
    }

    /// The id of the token called `name`, if there is one.
    pub fn token_id(&self, name: &str) -> Option<u32> {
        self.text.token_to_id(name)
    }

    /// How the vocabulary spells a token.
    pub fn spelling(&self, id: u32) -> Option<String> {
        self.text.id_to_token(id)
    }

    /// The name of a special token.
    pub fn special_name(&self, id: u32) -> Option<String> {
        self.text
            .get_added_tokens_decoder()
            .remove(&id)
            .filter(|token| token.special)
            .map(|token| token.content)
    }

    /// Names of all special tokens, forking tokens included, by id.
    pub fn special_names(&self) -> Vec<String> {
        let mut tokens: Vec<_> = self.text.get_added_tokens_decoder().into_iter().collect();
        tokens.sort_unstable_by_key(|&(id, _)| id);
        tokens.into_iter().filter(|(_, token)| token.special).map(|(_, token)| token.content).collect()
    }
}

/// Sets the `special` flag of each added token from whether it is a forking token and the present flag.
fn mark_special(json: &mut Value, rule: impl Fn(bool, bool) -> bool) {
    let tokens = json.get_mut("added_tokens").and_then(Value::as_array_mut);
    for token in tokens.into_iter().flatten() {
        let fork = token["content"].as_str().is_some_and(|name| fork_index(name).is_some());
        let special = token["special"].as_bool().unwrap_or(false);
        if token.is_object() {
            token["special"] = Value::Bool(rule(fork, special));
        }
    }
}

fn load(json: &Value) -> Result<tokenizers::Tokenizer, DataError> {
    let mut tokenizer: tokenizers::Tokenizer = serde_json::from_value(json.clone())
        .map_err(|error| broken(format!("not a tokenizer ({})", one_line(&error.to_string()))))?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// The library numbers added tokens anew and only logs where that contradicts the file.
fn check_ids(json: &Value, loaded: &tokenizers::Tokenizer) -> Result<(), DataError> {
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        let name = token["content"].as_str().unwrap_or_default();
        let listed = token["id"].as_u64();
        let given = loaded.token_to_id(name).map(u64::from);
        if let (Some(listed), Some(given)) = (listed, given)
            && listed != given
        {
            return Err(broken(format!("token {name:?} is listed with id {listed} but loads as {given}")));
        }
    }
    Ok(())
}

fn special(tokenizer: &tokenizers::Tokenizer, name: String) -> Option<Special> {
    tokenizer.token_to_id(&name).map(|id| Special { name, id })
}

/// The end that a name, or else an id, or else nothing in particular stands for.
fn end_of_sequence(
    tokenizer: &tokenizers::Tokenizer,
    name: Option<String>,
    id: Option<u32>,
) -> Result<Special, DataError> {
    const REMEDY: &str = "name the right one as \"eos_token\" in tokenizer_config.json beside it";
    let by_id = || id.and_then(|id| tokenizer.id_to_token(id));
    let name = name.or_else(by_id).unwrap_or_else(|| END_OF_TEXT.to_owned());
    let missing = format!("the vocabulary has no end-of-sequence token {name:?}");
    special(tokenizer, name).ok_or_else(|| damaged(missing, REMEDY))
}

/// Ids of `<think1>` .. `<thinkN>`, which must have no gap.
fn forks_of(tokenizer: &tokenizers::Tokenizer) -> Result<Vec<u32>, DataError> {
    let added = tokenizer.get_added_tokens_decoder();
    let mut forks: Vec<(usize, u32)> =
        added.into_iter().filter_map(|(id, token)| Some((fork_index(&token.content)?, id))).collect();
    forks.sort_unstable();
    for (row, &(index, _)) in forks.iter().enumerate() {
        if row != index {
            let (there, missing) = (fork_name(index), fork_name(row));
            return Err(damaged(
                format!("there is a forking token {there} but no {missing}"),
                "number the forking tokens from 1 without gaps",
            ));
        }
    }
    Ok(forks.into_iter().map(|(_, id)| id).collect())
}

fn special_tokens(names: impl IntoIterator<Item = String>) -> Vec<AddedToken> {
    names.into_iter().map(|name| AddedToken::from(name, true)).collect()
}

fn encode(
    tokenizer: &tokenizers::Tokenizer,
    text: &str,
    action: &'static str,
) -> Result<Vec<u32>, DataError> {
    // No post-processor: see `Tokenizer::start`.
    let encoding = guarded(action, || tokenizer.encode_fast(text, false))?;
    Ok(encoding.get_ids().to_vec())
}

/// Runs the library: some files that it takes, it panics on when they are used.
fn guarded<T>(action: &'static str, run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, DataError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(failed(action)),
        Err(_) => Err(failed(action)("its parts contradict each other".into())),
    }
}

#[cfg(test)]
mod tests;
