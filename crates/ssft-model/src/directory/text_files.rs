//! Text files of a model directory other than `tokenizer.json`: `tokenizer_config.json`, `special_tokens_map.json`, and the
//! chat template, which is in `tokenizer_config.json` or in `chat_template.jinja`.

use serde_json::{Map, Value, json};
use ssft_data::error::DataError;
use ssft_data::forks::fork_name;
use ssft_data::json::Document;
use ssft_data::template::Template;
use ssft_data::tokenizer::{Roles, Tokenizer};
use std::collections::HashSet;

/// Text files that a model was loaded with. Files written later start from them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TextFiles {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<Document>,
    /// `special_tokens_map.json`.
    pub special_tokens_map: Option<Document>,
    /// `chat_template.jinja`, which version 5 of transformers writes.
    pub template_file: Option<String>,
}

impl TextFiles {
    /// Roles of the special tokens, from `tokenizer_config.json`, else from `special_tokens_map.json`, where a token is a
    /// string or an object with a `content`. Tokens that end a text are each `eos_token_id` of `config` and `generation`, the
    /// contents of `config.json` and `generation_config.json`: an id or a list of ids.
    pub fn roles(&self, config: &Value, generation: &Value) -> Roles {
        // As in transformers, `special_tokens_map.json` comes first if the other file does not list its tokens.
        let listed = value(&self.tokenizer_config).get("added_tokens_decoder").is_some();
        let mut files = [&self.special_tokens_map, &self.tokenizer_config].map(value);
        if listed {
            files.reverse();
        }
        let name = |key: &str| {
            files.into_iter().find_map(|file| {
                let value = &file[key];
                value.as_str().or_else(|| value["content"].as_str()).map(str::to_owned)
            })
        };
        let mut end_ids: Vec<u32> = [config, generation].into_iter().flat_map(ends).collect();
        let mut seen = HashSet::new();
        end_ids.retain(|&id| seen.insert(id));
        Roles {
            bos: name("bos_token"),
            eos: name("eos_token"),
            end_ids,
            pad: name("pad_token"),
            unk: name("unk_token"),
        }
    }

    /// Tokens that these files name; transformers adds them to a vocabulary that does not have them.
    pub fn named_tokens(&self) -> Vec<&str> {
        let files = [&self.tokenizer_config, &self.special_tokens_map].map(value).into_iter();
        let all = files.flat_map(|file| {
            let roles =
                ["bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token"];
            let lists = ["additional_special_tokens", "extra_special_tokens"];
            let listed = lists.into_iter().filter_map(|list| file[list].as_array()).flatten();
            let decoded = file["added_tokens_decoder"].as_object().into_iter().flat_map(Map::values);
            roles.into_iter().map(|role| &file[role]).chain(listed).chain(decoded)
        });
        all.filter_map(|token| content(token).as_str()).collect()
    }

    /// The chat template: `chat_template.jinja`, else the key `chat_template` of `tokenizer_config.json`. If that holds
    /// several named templates, it is the one named `default`.
    ///
    /// # Errors
    /// [`DataError::ModelFile`] if none of several templates is named `default`.
    pub fn template(&self) -> Result<Option<&str>, DataError> {
        if let Some(text) = &self.template_file {
            return Ok(Some(text));
        }
        let value = &value(&self.tokenizer_config)["chat_template"];
        // A list of names and texts; transformers 5 also accepts an object of names and texts.
        let named: Vec<(&str, &Value)> = match value {
            Value::Array(entries) => entries.iter().map(name_and_text).collect(),
            Value::Object(entries) => entries.iter().map(|(name, text)| (name.as_str(), text)).collect(),
            _ => return Ok(value.as_str()),
        };
        // Of several templates with the same name, transformers takes the last.
        let default = named.iter().rev().find(|(name, _)| *name == "default");
        if let Some(text) = default.and_then(|(_, text)| text.as_str()) {
            return Ok(Some(text));
        }
        if named.is_empty() {
            return Ok(None);
        }
        let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
        Err(DataError::ModelFile {
            file: "tokenizer_config.json".to_owned(),
            reason: format!("of the chat templates ({}) none is a text called default", names.join(", ")),
            remedy: "rename the one to train with to default",
        })
    }
}

/// The content of a file; null if there is none.
pub(super) fn value(file: &Option<Document>) -> &Value {
    file.as_ref().map_or(&Value::Null, Document::value)
}

/// Ids in the key `eos_token_id` of a settings file.
fn ends(settings: &Value) -> impl Iterator<Item = u32> + '_ {
    let ids = &settings["eos_token_id"];
    let listed = ids.as_array().map_or(std::slice::from_ref(ids), Vec::as_slice);
    listed.iter().filter_map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
}

/// Content of `tokenizer_config.json` for a model of `context` tokens. Settings in `carried` are kept; special tokens and
/// template are the current ones.
///
/// Special tokens other than end and padding are under `additional_special_tokens`, which versions 4 and 5 of transformers
/// read. Version 5 renamed it to `extra_special_tokens`, which version 4 expects to be a map and fails on.
///
/// The class `LlamaTokenizer` becomes `PreTrainedTokenizerFast`: version 5 of transformers gives the former a normalizer and a
/// pre-tokenizer of its own, so that the text behind a special token would have other tokens than in `tokenizer.json`.
pub fn tokenizer_config(
    tokenizer: &Tokenizer,
    template: &Template,
    context: usize,
    carried: &TextFiles,
) -> Value {
    let Value::Object(mut config) = value(&carried.tokenizer_config).clone() else {
        let mut config = special_map(tokenizer);
        config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        config.insert("model_max_length".to_owned(), json!(context));
        config.insert("clean_up_tokenization_spaces".to_owned(), json!(false));
        config.insert("chat_template".to_owned(), json!(template.source()));
        return Value::Object(config);
    };
    add_special(&mut config, tokenizer);
    let class = config.get("tokenizer_class").and_then(Value::as_str).unwrap_or_default();
    if class.strip_suffix("Fast").unwrap_or(class) == "LlamaTokenizer" {
        config.insert("tokenizer_class".to_owned(), json!("PreTrainedTokenizerFast"));
        // The class has names of its own for tokens that the file does not name.
        config.entry("eos_token").or_insert_with(|| json!(tokenizer.eos_token()));
    }
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

/// Content of `special_tokens_map.json`.
pub fn special_tokens_map(tokenizer: &Tokenizer, carried: &TextFiles) -> Value {
    let Value::Object(mut map) = value(&carried.special_tokens_map).clone() else {
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

/// Adds the forking tokens to the list of special tokens without a role.
fn add_special(map: &mut Map<String, Value>, tokenizer: &Tokenizer) {
    const NEWER: &str = "extra_special_tokens";
    let newer = map.get(NEWER).is_some_and(Value::is_array).then(|| map.shift_remove(NEWER)).flatten();
    let list = map.entry("additional_special_tokens").or_insert_with(|| json!([]));
    let listed = [Some(list.take()), newer, Some(json!(fork_names(tokenizer)))];
    let mut all: Vec<Value> = Vec::new();
    for token in listed.iter().flatten().filter_map(Value::as_array).flatten() {
        if !all.iter().any(|known| content(known) == content(token)) {
            all.push(token.clone());
        }
    }
    *list = Value::Array(all);
}

/// Name of a token in a list: the entry itself, or its key `content`.
fn content(token: &Value) -> &Value {
    token.get("content").unwrap_or(token)
}

/// Name and text of an entry in a list of templates.
fn name_and_text(entry: &Value) -> (&str, &Value) {
    (entry["name"].as_str().unwrap_or_default(), &entry["template"])
}

/// Replaces the template in `value`: the only one, or the one named `default`.
fn set_template(value: &mut Value, source: &str) {
    let place = match &mut *value {
        Value::Array(list) => list
            .iter_mut()
            .rfind(|entry| entry["name"] == "default")
            .and_then(|entry| entry.get_mut("template")),
        Value::Object(named) => named.get_mut("default"),
        _ => None,
    };
    match place {
        Some(text) => *text = json!(source),
        None => *value = json!(source),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssft_data::template::{CHATML, PLAIN};

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
    fn written_roles_are_read_back() {
        let tokenizer = Tokenizer::bytes(2).unwrap();
        let config = tokenizer_config(&tokenizer, &Template::plain(), 64, &TextFiles::default());
        let files = TextFiles { tokenizer_config: Some(config.into()), ..TextFiles::default() };
        let json = tokenizer.to_json().unwrap();
        let loaded = Tokenizer::from_json(json.as_bytes(), files.roles(&Value::Null, &Value::Null)).unwrap();
        assert_eq!((loaded.eos(), loaded.pad()), (tokenizer.eos(), tokenizer.pad()));
    }

    #[test]
    fn carried_settings_are_kept() {
        let original = json!({
            "tokenizer_class": "Qwen2Tokenizer",
            "model_max_length": 131072,
            "eos_token": {"content": "<|im_end|>"},
            "extra_special_tokens": ["<|im_start|>", "<think1>"],
            "added_tokens_decoder": {"257": {"content": "<|im_start|>", "special": true}},
            "chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}],
            "split_special_tokens": false,
        });
        let carried = TextFiles { tokenizer_config: Some(original.into()), ..TextFiles::default() };
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
        let map = TextFiles {
            special_tokens_map: Some(json!({"unk_token": "<unk>"}).into()),
            ..TextFiles::default()
        };
        let expected = json!({"unk_token": "<unk>", "additional_special_tokens": ["<think1>", "<think2>"]});
        assert_eq!(special_tokens_map(&tokenizer, &map), expected);
    }

    #[test]
    fn a_class_that_replaces_the_file_is_not_kept() {
        let written = |class: &str| {
            let original = json!({"tokenizer_class": class, "legacy": false});
            let carried = TextFiles { tokenizer_config: Some(original.into()), ..TextFiles::default() };
            tokenizer_config(&Tokenizer::bytes(1).unwrap(), &Template::plain(), 64, &carried)
        };
        for class in ["LlamaTokenizer", "LlamaTokenizerFast"] {
            assert_eq!(written(class)["tokenizer_class"], "PreTrainedTokenizerFast");
            assert_eq!(written(class)["eos_token"], "<|endoftext|>");
        }
        assert_eq!(written("Qwen2Tokenizer")["tokenizer_class"], "Qwen2Tokenizer");
    }

    #[test]
    fn a_template_is_found_in_both_files() {
        let read = |config: Option<Value>, file: Option<&str>| {
            let files = TextFiles {
                tokenizer_config: config.map(Document::from),
                template_file: file.map(str::to_owned),
                ..TextFiles::default()
            };
            files.template().map(|text| text.map(str::to_owned)).map_err(|error| error.to_string())
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        let inside = json!({ "chat_template": CHATML });
        let named = |name: &str| json!({ "chat_template": [{"name": "tool_use", "template": "t"}, {"name": name, "template": "d"}] });
        assert_eq!(read(Some(inside.clone()), None), some(CHATML));
        assert_eq!(read(Some(inside), Some("j")), some("j"));
        assert_eq!(read(Some(named("default")), None), some("d"));
        let object = json!({"chat_template": {"default": "d", "rag": "r"}});
        assert_eq!(read(Some(object.clone()), None), some("d"));
        let mut written = object["chat_template"].clone();
        set_template(&mut written, "new");
        assert_eq!(written, json!({"default": "new", "rag": "r"}));
        let twice = json!({"chat_template": [{"name": "default", "template": "1"}, {"name": "default", "template": "2"}]});
        assert_eq!(read(Some(twice), None), some("2"), "as in transformers");
        assert_eq!(read(Some(json!({})), None), Ok(None));
        assert_eq!(read(Some(json!({"chat_template": []})), None), Ok(None));
        assert_eq!(read(None, None), Ok(None));
        let says = "tokenizer_config.json: of the chat templates (tool_use, rag) none is a text called default; rename the one to train with to default";
        assert_eq!(read(Some(named("rag")), None), Err(says.to_owned()));
    }

    #[test]
    fn roles_come_from_three_files() {
        let files = TextFiles {
            tokenizer_config: Some(json!({"bos_token": {"content": "<s>"}, "eos_token": null}).into()),
            special_tokens_map: Some(
                json!({"bos_token": "<b>", "eos_token": "</s>", "unk_token": "<unk>"}).into(),
            ),
            template_file: None,
        };
        let expected = Roles {
            bos: Some("<b>".to_owned()),
            eos: Some("</s>".to_owned()),
            end_ids: vec![7],
            pad: None,
            unk: Some("<unk>".to_owned()),
        };
        assert_eq!(files.roles(&json!({"eos_token_id": 7}), &Value::Null), expected);
        assert_eq!(files.named_tokens(), ["<s>", "<b>", "</s>", "<unk>"]);
        let none = json!({"eos_token_id": null});
        assert_eq!(TextFiles::default().roles(&none, &Value::Null), Roles::default());
    }

    #[test]
    fn every_end_that_a_file_names_ends_a_text() {
        let ends = |config: Value, generation: Value| {
            let ids = |ids: Value| json!({ "eos_token_id": ids });
            TextFiles::default().roles(&ids(config), &ids(generation)).end_ids
        };
        assert_eq!(ends(json!(7), Value::Null), [7]);
        assert_eq!(ends(json!([7, 8]), json!([8, 9])), [7, 8, 9]);
        assert_eq!(ends(Value::Null, json!(9)), [9]);
        assert_eq!(ends(json!("</s>"), json!([-1, 1.5, 1u64 << 40, 3])), [3], "ids alone");
    }

    /// Version 5 of transformers writes one list, version 4 the other; an edited file may have both.
    #[test]
    fn both_lists_of_special_tokens_are_kept() {
        let map = json!({"additional_special_tokens": ["<a>"], "extra_special_tokens": [{"content": "<b>"}, "<a>"]});
        let carried = TextFiles { special_tokens_map: Some(map.into()), ..TextFiles::default() };
        let written = special_tokens_map(&Tokenizer::bytes(1).unwrap(), &carried);
        let expected = json!({"additional_special_tokens": ["<a>", {"content": "<b>"}, "<think1>"]});
        assert_eq!(written, expected);
    }
}
