//! A model directory as a set of files in memory: Hugging Face's layout plus `forks.json`.
//!
//! Names and bytes only; a face writes them to a disk or to a browser's storage.

use crate::error::TrainError;
use serde_json::{Value, json};
use ssft_data::encode::Encoder;
use ssft_data::forks::ForkTable;
use ssft_data::model_files::{special_tokens_map, tokenizer_config};
use ssft_model::Decoder;
use ssft_model::checkpoint::{to_safetensors, weights};

/// Relative file names with their contents.
pub type Files = Vec<(String, Vec<u8>)>;

/// The files of a model directory that `transformers` loads unchanged.
///
/// # Errors
/// [`TrainError::Checkpoint`] if the weights cannot be read back or the tokenizer cannot be written.
pub async fn model_files(model: &Decoder, encoder: &Encoder, forks: &ForkTable) -> Result<Files, TrainError> {
    let (tokenizer, template) = (encoder.tokenizer(), encoder.template());
    let config = model.config();
    let tokenizer_json =
        tokenizer.to_json().map_err(|error| TrainError::State { what: error.to_string() })?;
    let generation =
        json!({"eos_token_id": tokenizer.eos(), "pad_token_id": tokenizer.pad(), "do_sample": false});
    Ok(vec![
        ("config.json".to_owned(), pretty(&config.to_hugging_face(tokenizer.eos()))),
        ("model.safetensors".to_owned(), to_safetensors(&weights(model).await?)?),
        ("tokenizer.json".to_owned(), tokenizer_json.into_bytes()),
        (
            "tokenizer_config.json".to_owned(),
            pretty(&tokenizer_config(tokenizer, template, encoder.context())),
        ),
        ("special_tokens_map.json".to_owned(), pretty(&special_tokens_map(tokenizer))),
        ("generation_config.json".to_owned(), pretty(&generation)),
        ("forks.json".to_owned(), forks.to_json().into_bytes()),
    ])
}

fn pretty(value: &Value) -> Vec<u8> {
    format!("{value:#}\n").into_bytes()
}
