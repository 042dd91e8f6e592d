//! The text side of a Hugging Face model directory besides `tokenizer.json`: `tokenizer_config.json`,
//! `special_tokens_map.json`, and the chat template in either of its places.

use crate::error::{DataError, one_line};
use crate::template::Template;
use crate::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

/// The content of `tokenizer_config.json` for a model with room for `context` tokens.
///
/// Read by transformers 4 and 5 alike: the special tokens beside end and padding stand under
/// `additional_special_tokens`, the name both know (version 5 renamed it to `extra_special_tokens`, which
/// version 4 takes for a map and fails on).
pub fn tokenizer_config(tokenizer: &Tokenizer, template: &Template, context: usize) -> Value {
    let mut config = special_map(tokenizer);
    config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
    config.insert("model_max_length".to_owned(), json!(context));
    config.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
    config.insert("chat_template".to_owned(), json!(template.source()));
    Value::Object(config)
}

/// The content of `special_tokens_map.json`.
pub fn special_tokens_map(tokenizer: &Tokenizer) -> Value {
    Value::Object(special_map(tokenizer))
}

fn special_map(tokenizer: &Tokenizer) -> Map<String, Value> {
    let (eos, pad, bos) = (tokenizer.eos_token(), tokenizer.pad_token(), tokenizer.bos_token());
    let named = |name: &String| name == eos || name == pad || Some(name.as_str()) == bos;
    let others: Vec<String> = tokenizer.special_names().into_iter().filter(|name| !named(name)).collect();
    let mut map = Map::new();
    if let Some(bos) = bos {
        map.insert("bos_token".to_owned(), json!(bos));
    }
    map.insert("eos_token".to_owned(), json!(eos));
    map.insert("pad_token".to_owned(), json!(pad));
    map.insert("additional_special_tokens".to_owned(), json!(others));
    map
}

/// The chat template of a model directory: the text of `chat_template.jinja` if there is that file (where
/// newer versions of transformers put it), else `chat_template` in `tokenizer_config.json`; nothing if
/// neither has one.
///
/// # Errors
/// [`DataError::ModelFile`] if `tokenizer_config.json` is no JSON, [`DataError::TemplateSyntax`] if the
/// template does not compile.
pub fn template_of(config: Option<&[u8]>, jinja: Option<&str>) -> Result<Option<Template>, DataError> {
    if let Some(jinja) = jinja {
        return Template::new(jinja).map(Some);
    }
    let Some(config) = config else {
        return Ok(None);
    };
    let config: Value = serde_json::from_slice(config).map_err(|error| DataError::ModelFile {
        file: "tokenizer_config.json".to_owned(),
        reason: format!("not JSON ({})", one_line(&error.to_string())),
        remedy: "use the tokenizer files of a Hugging Face model as they were published",
    })?;
    template_source(&config["chat_template"]).map(Template::new).transpose()
}

/// One template, or the one called `default` of a list of named ones.
fn template_source(value: &Value) -> Option<&str> {
    let named = || value.as_array()?.iter().find(|entry| entry["name"] == "default");
    value.as_str().or_else(|| named()?["template"].as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{CHATML, PLAIN};

    #[test]
    fn files_by_hand() {
        let tokenizer = Tokenizer::bytes(2).unwrap();
        let map = json!({
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<think1>", "<think2>"],
        });
        assert_eq!(special_tokens_map(&tokenizer), map);
        let config = tokenizer_config(&tokenizer, &Template::plain(), 512);
        let expected = json!({
            "eos_token": "<|endoftext|>",
            "pad_token": "<|endoftext|>",
            "additional_special_tokens": ["<|im_start|>", "<|im_end|>", "<think1>", "<think2>"],
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": 512,
            "clean_up_tokenization_spaces": false,
            "chat_template": PLAIN,
        });
        assert_eq!(config, expected);
    }

    #[test]
    fn template_has_two_places() {
        let source = |config: &str, jinja| {
            let template = template_of(Some(config.as_bytes()), jinja).unwrap();
            template.map(|template| template.source().to_owned())
        };
        let inside = json!({ "chat_template": CHATML }).to_string();
        let named = json!({ "chat_template": [{"name":"tool_use","template":"t"},{"name":"default","template":"d"}] });
        assert_eq!(source(&inside, None).as_deref(), Some(CHATML));
        assert_eq!(source(&inside, Some("j")).as_deref(), Some("j"));
        assert_eq!(source(&named.to_string(), None).as_deref(), Some("d"));
        assert_eq!(source("{}", None), None);
        assert!(template_of(None, None).unwrap().is_none());
        let message = template_of(Some(b"{"), None).unwrap_err().to_string();
        assert_eq!(
            message,
            "tokenizer_config.json: not JSON (EOF while parsing an object at line 1 column 1); use the tokenizer files of a Hugging Face model as they were published"
        );
    }
}
