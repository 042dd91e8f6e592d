//! Text to token ids and back. Text never encodes to a forking token.
//!
//! | method | input | special tokens in text | forking tokens in text |
//! |---|---|---|---|
//! | [`Tokenizer::encode_text`] | a text of its own | stay text | stay text |
//! | [`Tokenizer::encode_template`] | a rendered chat template of its own | recognized | stay text |
//! | [`Tokenizer::prompt`] | the text in front of a forking token | by its form | stay text |
//! | [`Tokenizer::behind_fork`] | the text behind a forking token | stay text | stay text |
//! | [`Tokenizer::forks`] | none: trainer and decoder insert forking tokens by id | - | - |
//!
//! Files: this one holds [`Tokenizer`]; `build.rs` makes byte-level tokenizers; [`joined`] encodes pieces of a row as parts of
//! its whole text; [`stream`] decodes tokens one by one.

mod build;
pub mod joined;
pub mod stream;

use crate::error::DataError;
use crate::forks::{fork_index, fork_name};
use crate::words::one_line;
use joined::Marks;
use serde_json::Value;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokenizers::AddedToken;

/// A Hugging Face tokenizer with N forking tokens.
///
/// Three tokenizers share one vocabulary. `file` is the tokenizer of `tokenizer.json`; it decodes and names tokens. `text`
/// treats every special token in its input as ordinary characters. `template` has only the forking tokens as special, so that
/// it recognizes all other special tokens; removing the forking tokens from its vocabulary instead would shift the ids behind
/// them. The latter two also have the marks of [`joined`].
///
/// ```
/// use ssft_data::tokenizer::Tokenizer;
///
/// let tokenizer = Tokenizer::bytes(2)?;
/// assert_eq!(tokenizer.forks(), [259, 260]);
/// assert_eq!(tokenizer.encode_text("2+5")?, [50, 43, 53]);
/// // A forking token spelled in text stays text.
/// assert_eq!(tokenizer.encode_text("<think1>")?.len(), 8);
/// assert_eq!(tokenizer.decode(&[259, 50, 256])?, "2");
/// # Ok::<(), ssft_data::error::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Tokenizer {
    // Shared by clones: a vocabulary of 150,000 tokens takes tens of megabytes.
    file: Arc<tokenizers::Tokenizer>,
    text: Arc<tokenizers::Tokenizer>,
    template: Arc<tokenizers::Tokenizer>,
    marks: Marks,
    forks: Vec<u32>,
    bos: Option<String>,
    unk: Option<String>,
    eos: Special,
    pad: Special,
    /// Ids of all tokens that end a text, [`Self::eos`] first.
    ends: Vec<u32>,
    /// Ids of all special tokens, which have no text.
    special: Arc<HashSet<u32>>,
    /// Ordinary tokens that stand in front of a trace when it is decoded behind a forking token alone.
    before_trace: Vec<u32>,
    /// Largest id + 1.
    rows: usize,
}

/// A special token.
#[derive(Debug, Clone)]
struct Special {
    name: String,
    id: u32,
}

/// Names of the special tokens with a role; `tokenizer.json` does not contain them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Beginning of a sequence.
    pub bos: Option<String>,
    /// End of a sequence.
    pub eos: Option<String>,
    /// Ids of all tokens that end a text. The first one is the end of a sequence if `eos` is absent.
    pub end_ids: Vec<u32>,
    /// Padding.
    pub pad: Option<String>,
    /// Replacement for text outside the vocabulary.
    pub unk: Option<String>,
}

/// Default end of sequence, also that of the tokenizers of `build.rs`.
const END_OF_TEXT: &str = "<|endoftext|>";

/// A word of one letter, for questions about a tokenizer that any word answers.
const ANY_TEXT: &str = "a";

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

impl Tokenizer {
    /// Parses the content of `tokenizer.json`. Tokens named `<think1>` .. `<thinkN>` become the forking tokens.
    ///
    /// The roles come from the other files of a model directory, which `ssft-model` reads.
    ///
    /// # Errors
    /// [`DataError::ModelFile`] if the content is not a tokenizer, the forking tokens are not numbered without gaps, or
    /// the end-of-sequence token does not exist.
    pub fn from_json(json: &[u8], roles: Roles) -> Result<Self, DataError> {
        let json: Value = serde_json::from_slice(json)
            .map_err(|error| broken(format!("not JSON ({})", one_line(&error.to_string()))))?;
        if !json.is_object() {
            return Err(broken("not a JSON object".to_owned()));
        }
        Self::assemble(json, roles)
    }

    /// The three tokenizers of one `tokenizer.json`.
    fn assemble(mut json: Value, roles: Roles) -> Result<Self, DataError> {
        // Truncation and padding would silently change the tokens of a trace.
        json["truncation"] = Value::Null;
        json["padding"] = Value::Null;
        // BPE dropout makes the encoding random.
        if let Some(dropout) = json.get_mut("model").and_then(|model| model.get_mut("dropout")) {
            *dropout = Value::Null;
        }
        // The library numbers added tokens by their order in the file, transformers by their ids.
        if let Some(tokens) = json.get_mut("added_tokens").and_then(Value::as_array_mut) {
            tokens.sort_by_key(|token| token["id"].as_u64());
        }
        mark_special(&mut json, |fork, special| fork || special);
        let file = load(&json)?;
        check_ids(&json, &file)?;
        let eos = end_of_sequence(&file, roles.eos, roles.end_ids.first().copied())?;
        let pad = roles.pad.and_then(|name| special(&file, name)).unwrap_or_else(|| eos.clone());
        let forks = forks_of(&file)?;
        let rows = file.get_vocab(true).into_values().max().map_or(0, |id| id as usize + 1);
        mark_special(&mut json, |fork, _| fork);
        let (mut text, mut template) = (file.clone(), load(&json)?);
        let marks = Marks::add(&mut [&mut text, &mut template], &forks, &eos.name, rows)?;
        let mut ends = vec![eos.id];
        ends.extend(roles.end_ids.into_iter().filter(|&id| id != eos.id));
        let added = file.get_added_tokens_decoder().into_iter();
        let special = Arc::new(added.filter(|(_, token)| token.special).map(|(id, _)| id).collect());
        let (file, text, template) = (Arc::new(file), Arc::new(text), Arc::new(template));
        let (bos, unk, before_trace) = (roles.bos, roles.unk, Vec::new());
        let mut tokenizer = Self {
            file,
            text,
            template,
            marks,
            forks,
            bos,
            unk,
            eos,
            pad,
            ends,
            special,
            before_trace,
            rows,
        };
        // A tokenizer that finds no forking token in a text has no such tokens.
        tokenizer.before_trace = tokenizer.kept_blank().unwrap_or_default();
        Ok(tokenizer)
    }

    /// The same tokenizer with at least `count` forking tokens; new ones get ids above the largest id. The model then
    /// needs [`Tokenizer::vocab_size`] embedding rows.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library rejects a token; [`DataError::ModelFile`] if a name is an ordinary entry of
    /// the vocabulary, or gaps in the ids would give a new token the id of an existing one.
    pub fn with_forks(self, count: usize) -> Result<Self, DataError> {
        if count <= self.forks.len() {
            return Ok(self);
        }
        let (had, rows) = (self.forks.len(), self.rows);
        if let Some(name) = (had..count).map(fork_name).find(|name| self.file.token_to_id(name).is_some()) {
            return Err(broken(format!("{name} is an entry of the vocabulary, but no special token")));
        }
        let (eos, pad) = (Some(self.eos.name), Some(self.pad.name));
        let roles = Roles { bos: self.bos, eos, end_ids: self.ends, pad, unk: self.unk };
        let mut grown = Arc::unwrap_or_clone(self.file);
        grown.add_special_tokens(special_tokens((0..count).map(fork_name))).map_err(failed("add forks"))?;
        let json = serde_json::to_value(&grown).map_err(|e| broken(e.to_string()))?;
        let grown = Self::assemble(json, roles)?;
        // The library numbers new tokens from the size of the vocabulary, which is a used id if the ids have gaps.
        match grown.forks[had..].iter().find(|&&id| (id as usize) < rows) {
            Some(id) => Err(broken(format!(
                "ids are left out below {rows}, so that a new token would get {id}, which another one has"
            ))),
            None => Ok(grown),
        }
    }

    /// The content of `tokenizer.json`, in the format of Python's `tokenizers` and `transformers`.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library cannot serialize the tokenizer.
    pub fn to_json(&self) -> Result<String, DataError> {
        self.file.to_string(true).map_err(failed("write its file"))
    }

    /// Token ids of ordinary text; never a special token.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error, which it never does for a byte-level vocabulary.
    pub fn encode_text(&self, text: &str) -> Result<Vec<u32>, DataError> {
        encode(&self.text, text, "encode the text")
    }

    /// Token ids of a rendered chat template: markers become special tokens, `<think1>` stays text. As in transformers,
    /// a marker spelled in a message becomes a special token too.
    ///
    /// # Errors
    /// As [`Tokenizer::encode_text`].
    pub fn encode_template(&self, rendered: &str) -> Result<Vec<u32>, DataError> {
        encode(&self.template, rendered, "encode the prompt")
    }

    /// The text of `tokens` without special and forking tokens. Ids outside the vocabulary (spare embedding rows of a
    /// model) are skipped; invalid UTF-8 becomes U+FFFD.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, DataError> {
        guarded("decode the tokens", || self.file.decode(tokens, true))
    }

    /// The text of `tokens` behind the lead `lead`: the fixed tokens behind a forking token, with it or without it. Unlike
    /// [`Tokenizer::decode`], it keeps the blank at the beginning of a trace where the decoder drops that of a text.
    ///
    /// # Errors
    /// As [`Tokenizer::decode`].
    pub fn decode_behind(&self, lead: &[u32], tokens: &[u32]) -> Result<String, DataError> {
        let before = self.text_before(lead)?;
        let (known, whole) = (self.decode(&before)?, self.decode(&[&before, tokens].concat())?);
        match whole.strip_prefix(&known) {
            Some(text) => Ok(text.to_owned()),
            // The tokens complete a character of the text before them.
            None => self.decode(tokens),
        }
    }

    /// Ordinary tokens that stand in front of a trace behind `lead` when it is decoded.
    fn text_before(&self, lead: &[u32]) -> Result<Vec<u32>, DataError> {
        let is_bare = self.decode(lead)?.is_empty();
        Ok(if is_bare { self.before_trace.clone() } else { lead.to_vec() })
    }

    /// A word, if the decoder drops the blank of a word that stands directly behind a forking token, although the tokenizer puts
    /// none there: behind the word, the blank comes back. Empty for other tokenizers.
    fn kept_blank(&self) -> Result<Vec<u32>, DataError> {
        let word = self.behind_fork(ANY_TEXT)?;
        let blank_word = self.behind_fork(&format!(" {ANY_TEXT}"))?;
        let is_dropped = word != blank_word && self.decode(&word)? == self.decode(&blank_word)?;
        Ok(if is_dropped { word } else { Vec::new() })
    }

    /// Whether a token has no text: a special token, or an id outside the vocabulary.
    fn is_silent(&self, token: u32) -> bool {
        self.special.contains(&token) || self.file.id_to_token(token).is_none()
    }

    /// Ids of the forking tokens `<think1>` .. `<thinkN>`, in order.
    pub fn forks(&self) -> &[u32] {
        &self.forks
    }

    /// Id of the end-of-sequence token.
    pub fn eos(&self) -> u32 {
        self.eos.id
    }

    /// Ids of all tokens that end a text: the end of sequence, then the others that the model's files name.
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// Name of the end-of-sequence token.
    pub fn eos_token(&self) -> &str {
        &self.eos.name
    }

    /// Id of the padding token; the end of sequence if the tokenizer has no padding token.
    pub fn pad(&self) -> u32 {
        self.pad.id
    }

    /// Name of the padding token.
    pub fn pad_token(&self) -> &str {
        &self.pad.name
    }

    /// Tokens that the tokenizer's post-processor puts in front of every text, such as the beginning of a sequence of Llama.
    /// Plain prompts start with them; a chat template writes its own.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error.
    pub fn start(&self) -> Result<Vec<u32>, DataError> {
        let ids = |special: bool| {
            let encoding = guarded("encode the text", || self.text.encode_fast(ANY_TEXT, special))?;
            Ok(encoding.get_ids().to_vec())
        };
        let (bare, whole): (Vec<u32>, Vec<u32>) = (ids(false)?, ids(true)?);
        let found = |bare: &[u32]| whole.windows(bare.len()).position(|window| window == bare);
        let starts = if bare.is_empty() { None } else { found(&bare) };
        // A vocabulary without the letter.
        let bos = || {
            self.bos.as_deref().and_then(|bos| self.token_id(bos)).filter(|bos| whole.first() == Some(bos))
        };
        Ok(whole[..starts.unwrap_or_else(|| usize::from(bos().is_some()))].to_vec())
    }

    /// Name of the beginning-of-sequence token, if there is one.
    pub fn bos_token(&self) -> Option<&str> {
        self.bos.as_deref()
    }

    /// Name of the token for text outside the vocabulary, if there is one.
    pub fn unk_token(&self) -> Option<&str> {
        self.unk.as_deref()
    }

    /// Number of embedding rows that the vocabulary needs: the largest id + 1.
    pub fn vocab_size(&self) -> usize {
        self.rows
    }

    /// Id of the token called `name`, if there is one.
    pub fn token_id(&self, name: &str) -> Option<u32> {
        self.file.token_to_id(name)
    }

    /// The vocabulary entry of a token, for example `Ġthe` for ` the` in a byte-level vocabulary.
    pub fn spelling(&self, id: u32) -> Option<String> {
        self.file.id_to_token(id)
    }

    /// Name of the special token `id`; `None` if `id` is not a special token.
    pub fn special_name(&self, id: u32) -> Option<String> {
        self.file
            .get_added_tokens_decoder()
            .remove(&id)
            .filter(|token| token.special)
            .map(|token| token.content)
    }

    /// Names of all special tokens, forking tokens included, in order of their ids.
    pub fn special_names(&self) -> Vec<String> {
        let mut tokens: Vec<_> = self.file.get_added_tokens_decoder().into_iter().collect();
        tokens.sort_unstable_by_key(|&(id, _)| id);
        tokens.into_iter().filter(|(_, token)| token.special).map(|(_, token)| token.content).collect()
    }
}

/// Sets the `special` flag of each added token to `rule(is_fork, flag)`.
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

/// A tokenizer that encodes its special tokens as ordinary text.
fn load(json: &Value) -> Result<tokenizers::Tokenizer, DataError> {
    let mut tokenizer: tokenizers::Tokenizer = serde_json::from_value(json.clone())
        .map_err(|error| broken(format!("not a tokenizer ({})", one_line(&error.to_string()))))?;
    tokenizer.set_encode_special_tokens(true);
    Ok(tokenizer)
}

/// Checks that added tokens have the ids of the file: the library renumbers them and only logs a difference.
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

/// The end-of-sequence token: `name` if given, else that with `id`, else `<|endoftext|>`.
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

/// Ids of `<think1>` .. `<thinkN>`.
///
/// # Errors
/// [`DataError::ModelFile`] if the numbers have a gap.
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
    // Without the post-processor, see `Tokenizer::start`.
    let encoding = guarded(action, || tokenizer.encode_fast(text, false))?;
    Ok(encoding.get_ids().to_vec())
}

/// Calls the library and turns its panics into errors: it accepts some invalid files and panics when it uses them.
fn guarded<T>(action: &'static str, run: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, DataError> {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(result) => result.map_err(failed(action)),
        Err(_) => Err(failed(action)("its parts contradict each other".into())),
    }
}

#[cfg(test)]
mod tests;
