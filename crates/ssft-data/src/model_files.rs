//! The text side of a Hugging Face model directory besides `tokenizer.json`: `tokenizer_config.json`,
//! `special_tokens_map.json`, and the chat template in either of its places.

use crate::forks::fork_name;
use crate::template::Template;
use crate::tokenizer::Tokenizer;
use serde_json::{Map, Value, json};

/// The text side's files as a model came with them; what is written goes on from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFiles {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<Value>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<Value>,
    /// The chat template lay in a file of its own, `chat_template.jinja`.
    pub template_file: bool,
}

/// The content of `tokenizer_config.json` for a model with room for `context` tokens; what a model came with is kept, with
/// the special tokens and the template as they are now.
///
/// Read by transformers 4 and 5 alike: the special tokens beside end and padding stand under
/// `additional_special_tokens`, the name both know (version 5 renamed it to `extra_special_tokens`, which
/// version 4 takes for a map and fails on).
pub fn tokenizer_config(
    tokenizer: &Tokenizer,
    template: &Template,
    context: usize,
    carried: &TextFiles,
) -> Value {
    let Some(Value::Object(mut config)) = carried.tokenizer_config.clone() else {
        let mut config = special_map(tokenizer);
        config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        config.insert("model_max_length".to_owned(), json!(context));
        config.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        config.insert("chat_template".to_owned(), json!(template.source()));
        return Value::Object(config);
    };
    add_special(&mut config, tokenizer);
    if let Some(Value::Object(added)) = config.get_mut("added_tokens_decoder") {
        for (name, &id) in fork_names(tokenizer).iter().zip(tokenizer.forks()) {
            added.entry(id.to_string()).or_insert_with(|| {
                json!({"content": name, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true})
            });
        }
    }
    set_template(config.entry("chat_template").or_insert(Value::Null), template.source());
    Value::Object(config)
}

/// The content of `special_tokens_map.json`.
pub fn special_tokens_map(tokenizer: &Tokenizer, carried: &TextFiles) -> Value {
    let Some(Value::Object(mut map)) = carried.special_tokens_map.clone() else {
        return Value::Object(special_map(tokenizer));
    };
    add_special(&mut map, tokenizer);
    Value::Object(map)
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

fn fork_names(tokenizer: &Tokenizer) -> Vec<String> {
    (0..tokenizer.forks().len()).map(fork_name).collect()
}

/// Adds the forking tokens to the list of special tokens that have no role of their own.
fn add_special(map: &mut Map<String, Value>, tokenizer: &Tokenizer) {
    const LIST: &str = "additional_special_tokens";
    let renamed = map.get("extra_special_tokens").is_some_and(Value::is_array);
    let listed = match renamed {
        true => map.remove("extra_special_tokens"),
        false => map.get(LIST).cloned(),
    };
    let mut list = listed.and_then(|list| list.as_array().cloned()).unwrap_or_default();
    // Names, or objects with the name as their content.
    let known =
        |list: &[Value], name: &str| list.iter().any(|token| token == name || token["content"] == name);
    for name in fork_names(tokenizer) {
        if !known(&list, &name) {
            list.push(json!(name));
        }
    }
    map.insert(LIST.to_owned(), Value::Array(list));
}

/// One template, or the one called `default` of a list of named ones.
fn set_template(value: &mut Value, source: &str) {
    let named =
        value.as_array_mut().and_then(|list| list.iter_mut().find(|entry| entry["name"] == "default"));
    match named {
        Some(entry) => entry["template"] = json!(source),
        None => *value = json!(source),
    }
}

/// The text of the chat template of a model directory: that of `chat_template.jinja` if there is that file (where
/// newer versions of transformers put it), else `chat_template` in `tokenizer_config.json`; nothing if neither has one.
pub fn template_text<'a>(config: Option<&'a Value>, jinja: Option<&'a str>) -> Option<&'a str> {
    jinja.or_else(|| template_source(&config?["chat_template"]))
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
        assert_eq!(special_tokens_map(&tokenizer, &TextFiles::default()), map);
        let config = tokenizer_config(&tokenizer, &Template::plain(), 512, &TextFiles::default());
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
    fn what_a_model_came_with_is_kept() {
        let original = json!({
            "tokenizer_class": "Qwen2Tokenizer",
            "model_max_length": 131072,
            "eos_token": {"content": "<|im_end|>"},
            "extra_special_tokens": ["<|im_start|>", "<think1>"],
            "added_tokens_decoder": {"257": {"content": "<|im_start|>", "special": true}},
            "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}],
            "split_special_tokens": false,
        });
        let carried = TextFiles { tokenizer_config: Some(original), ..TextFiles::default() };
        let tokenizer = Tokenizer::bytes(2).unwrap();
        let config = tokenizer_config(&tokenizer, &Template::new("new").unwrap(), 512, &carried);
        let fork = |name: &str| json!({"content": name, "lstrip": false, "normalized": false, "rstrip": false, "single_word": false, "special": true});
        let expected = json!({
            "tokenizer_class": "Qwen2Tokenizer",
            "model_max_length": 131072,
            "eos_token": {"content": "<|im_end|>"},
            "added_tokens_decoder": {
                "257": {"content": "<|im_start|>", "special": true},
                "259": fork("<think1>"),
                "260": fork("<think2>"),
            },
            "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "new"}],
            "split_special_tokens": false,
            "additional_special_tokens": ["<|im_start|>", "<think1>", "<think2>"],
        });
        assert_eq!(config, expected);
        let map =
            TextFiles { special_tokens_map: Some(json!({"unk_token": "<unk>"})), ..TextFiles::default() };
        let expected = json!({"unk_token": "<unk>", "additional_special_tokens": ["<think1>", "<think2>"]});
        assert_eq!(special_tokens_map(&tokenizer, &map), expected);
    }

    #[test]
    fn template_has_two_places() {
        let inside = json!({ "chat_template": CHATML });
        let named = json!({ "chat_template": [{"name":"tool_use","template":"t"},{"name":"default","template":"d"}] });
        assert_eq!(template_text(Some(&inside), None), Some(CHATML));
        assert_eq!(template_text(Some(&inside), Some("j")), Some("j"));
        assert_eq!(template_text(Some(&named), None), Some("d"));
        assert_eq!(template_text(Some(&json!({})), None), None);
        assert_eq!(template_text(None, None), None);
    }
}
