//! Contents of a model directory to be written: the files of Hugging Face's layout, and `forks.json`.
//!
//! The caller writes them to a disk or to a browser's storage.

use super::read::Carried;
use super::text_files::{special_tokens_map, tokenizer_config};
use crate::decoder::Decoder;
use crate::error::{CheckpointError, DirectoryError};
use crate::precision::Precision;
use crate::stored::WEIGHTS_FILE;
use crate::tensor_file::TensorFile;
use serde_json::{Value, json};
use ssft_data::encode::Encoder;
use ssft_data::forks::ForkTable;
use ssft_data::json::Document;
use ssft_data::tokenizer::Tokenizer;
use std::io::Write;

/// Relative file names and contents.
pub type Files = Vec<(String, Content)>;

/// Content of a file to be written.
#[derive(Debug, Clone)]
pub enum Content {
    /// Bytes.
    Bytes(Vec<u8>),
    /// Tensors, which are read back from their device one by one while the file is written.
    Tensors(TensorFile),
}

impl Content {
    /// Writes the content to `out`.
    ///
    /// # Errors
    /// As [`TensorFile::write`].
    pub async fn write(&self, out: &mut dyn Write) -> Result<(), CheckpointError> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes).map_err(|error| CheckpointError::Write { error }),
            Self::Tensors(tensors) => tensors.write(out).await,
        }
    }
}

/// The files of a model directory that `transformers` loads unchanged. Weights are stored as `precision`; settings in
/// `carried` are kept. [`crate::directory`] has an example.
///
/// # Errors
/// [`DirectoryError`] if the tokenizer cannot be written as JSON.
pub fn model_files(
    model: &Decoder,
    encoder: &Encoder,
    forks: &ForkTable,
    carried: &Carried,
    precision: Precision,
) -> Result<Files, DirectoryError> {
    let (tokenizer, template) = (encoder.tokenizer(), encoder.template());
    let (config, generation) = settings(model, tokenizer, carried, precision);
    let tokenizer_json =
        tokenizer.to_json().map_err(|error| DirectoryError::of("tokenizer.json", error.to_string()))?;
    let text = |name: &str, text: String| (name.to_owned(), Content::Bytes(text.into_bytes()));
    let mut files = vec![
        text("config.json", written(&config, &carried.config)),
        (WEIGHTS_FILE.to_owned(), Content::Tensors(TensorFile::of_model(model, precision))),
        text("tokenizer.json", tokenizer_json),
        text(
            "tokenizer_config.json",
            written(
                &tokenizer_config(tokenizer, template, encoder.context(), &carried.text),
                &carried.text.tokenizer_config,
            ),
        ),
        text(
            "special_tokens_map.json",
            written(&special_tokens_map(tokenizer, &carried.text), &carried.text.special_tokens_map),
        ),
        text("generation_config.json", written(&generation, &carried.generation)),
        text("forks.json", forks.to_json()),
    ];
    if carried.text.template_file.is_some() {
        files.push(text("chat_template.jinja", template.source().to_owned()));
    }
    Ok(files)
}

/// Contents of `config.json` and `generation_config.json`.
fn settings(
    model: &Decoder,
    tokenizer: &Tokenizer,
    carried: &Carried,
    precision: Precision,
) -> (Value, Value) {
    let eos = tokenizer.eos();
    let config = match &carried.config {
        Some(original) => {
            with_end(model.config().update_hugging_face(original.value().clone(), precision), eos)
        }
        None => model.config().to_hugging_face(eos, precision),
    };
    let generation = match (&carried.generation, &carried.config) {
        (Some(original), _) => with_end(original.value().clone(), eos),
        (None, Some(_)) => generation_in(&config),
        (None, None) => json!({"eos_token_id": eos, "pad_token_id": tokenizer.pad(), "do_sample": false}),
    };
    (config, generation)
}

/// Settings of generation that transformers reads from `config.json` if there is no `generation_config.json`.
fn generation_in(config: &Value) -> Value {
    let ids = ["bos_token_id", "eos_token_id", "pad_token_id"].into_iter();
    let given = ids.filter_map(|key| Some((key.to_owned(), config.get(key)?.clone())));
    Value::Object(given.filter(|(_, id)| !id.is_null()).collect())
}

/// Settings of a `config.json` or `generation_config.json` with `eos`, the token that ends every trained trace, added to
/// the tokens that end a text.
fn with_end(mut settings: Value, eos: u32) -> Value {
    let ends = &mut settings["eos_token_id"];
    let known = ends.as_array().map_or(ends == &json!(eos), |ends| ends.contains(&json!(eos)));
    if !known {
        let mut all = ends
            .as_array()
            .cloned()
            .unwrap_or_else(|| Some(ends.take()).filter(|end| !end.is_null()).into_iter().collect());
        all.push(json!(eos));
        *ends = if all.len() == 1 { all.remove(0) } else { Value::Array(all) };
    }
    settings
}

/// The text of a file with this content, spelled as in the file that it starts from.
fn written(value: &Value, carried: &Option<Document>) -> String {
    carried.as_ref().map_or_else(|| format!("{value:#}\n"), |file| file.updated(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trained_end_token_ends_a_text() {
        for (before, after) in [
            (json!({"eos_token_id": 7}), json!({"eos_token_id": 7})),
            (json!({"eos_token_id": [5, 7]}), json!({"eos_token_id": [5, 7]})),
            (json!({"eos_token_id": 5, "top_k": 3}), json!({"eos_token_id": [5, 7], "top_k": 3})),
            (json!({"eos_token_id": [5, 6]}), json!({"eos_token_id": [5, 6, 7]})),
            (json!({"eos_token_id": null}), json!({"eos_token_id": 7})),
            (json!({}), json!({"eos_token_id": 7})),
        ] {
            assert_eq!(with_end(before, 7), after);
        }
    }

    #[test]
    fn generation_settings_default_to_those_of_the_config() {
        let config =
            json!({"bos_token_id": 1, "eos_token_id": [2, 7], "pad_token_id": null, "hidden_size": 8});
        assert_eq!(generation_in(&config), json!({"bos_token_id": 1, "eos_token_id": [2, 7]}));
    }
}
