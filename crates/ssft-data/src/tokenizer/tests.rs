use super::*;
use proptest::prelude::*;
use std::sync::LazyLock;

static BYTES: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::bytes(4).unwrap());
static TRAINED: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::train_bytes(&corpus(), 280, 4).unwrap());

fn corpus() -> Vec<String> {
    let line = |n: u32| format!("carry the {n}, then add the next pair: {n}+{}=<think1>\r\n", n * 7 % 13);
    (0..200).map(line).collect()
}

/// Texts that spell special tokens, and other edge cases.
const AWKWARD: [&str; 14] = [
    "",
    "<think1>",
    "a<think3>b<think99>",
    "<|im_end|>",
    "<|im_start|>assistant\n<think1>\n",
    "<|endoftext|>",
    "<think1",
    "<<think1>>",
    "\0\u{1}\u{7f}",
    "\r\n\r\n \t ",
    "🦀👩‍👩‍👧 é e\u{301} \u{feff}\u{202e}",
    "Ġ Ċ ÿ ▁ \u{fffd}",
    "  12 345  6.7e-8",
    "日本語 العربية",
];

fn assert_round_trip(tokenizer: &Tokenizer, text: &str) {
    let specials: Vec<u32> =
        tokenizer.special_names().iter().map(|name| tokenizer.token_id(name).unwrap()).collect();
    let tokens = tokenizer.encode_text(text).unwrap();
    assert!(tokens.iter().all(|token| !specials.contains(token)), "{text:?} became {tokens:?}");
    assert!(tokens.iter().all(|&token| (token as usize) < tokenizer.vocab_size()));
    assert_eq!(tokenizer.decode(&tokens).unwrap(), text);
}

#[test]
fn ids_are_fixed() {
    let tokenizer = &*BYTES;
    assert_eq!(tokenizer.forks(), [259, 260, 261, 262]);
    assert_eq!((tokenizer.eos(), tokenizer.pad(), tokenizer.bos_token()), (256, 256, None));
    assert_eq!(tokenizer.vocab_size(), 263);
    assert_eq!(tokenizer.token_id("<|im_start|>"), Some(257));
    assert_eq!(tokenizer.token_id("<|im_end|>"), Some(258));
    let every: Vec<u32> = (0..=127).collect();
    let ascii: String = (0..=127u8).map(char::from).collect();
    assert_eq!(tokenizer.encode_text(&ascii).unwrap(), every);
    assert_eq!(tokenizer.encode_text("é").unwrap(), [0xC3, 0xA9]);
    assert_eq!(Tokenizer::bytes(0).unwrap().forks(), [] as [u32; 0]);
}

#[test]
fn awkward_texts_come_back() {
    for text in AWKWARD {
        assert_round_trip(&BYTES, text);
        assert_round_trip(&TRAINED, text);
    }
}

proptest! {
    #[test]
    fn any_text_comes_back(parts in prop::collection::vec(prop_oneof![
        3 => any::<String>(),
        1 => prop::sample::select(AWKWARD.to_vec()).prop_map(str::to_owned),
    ], 0..6)) {
        let text = parts.concat();
        assert_round_trip(&BYTES, &text);
        assert_round_trip(&TRAINED, &text);
        // A template's markers become special tokens; forking tokens stay text.
        let tokens = TRAINED.encode_template(&text).unwrap();
        prop_assert!(tokens.iter().all(|token| !TRAINED.forks().contains(token)));
    }
}

#[test]
fn templates_know_markers_but_no_forks() {
    let rendered = "<|im_start|>user\n<think2><|im_end|>";
    let text = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    let expected = [vec![257], text("user\n<think2>"), vec![258]].concat();
    assert_eq!(BYTES.encode_template(rendered).unwrap(), expected);
    assert_eq!(BYTES.decode(&expected).unwrap(), "user\n<think2>");
}

#[test]
fn decoding_skips_specials_and_unknown_ids() {
    let tokens = [259, 104, 105, 256, 9_999];
    assert_eq!(BYTES.decode(&tokens).unwrap(), "hi");
    assert_eq!(BYTES.decode(&[0xC3]).unwrap(), "\u{fffd}");
}

#[test]
fn training_learns_merges_and_is_deterministic() {
    let tokenizer = &*TRAINED;
    assert_eq!(tokenizer.vocab_size(), 280);
    assert_eq!(tokenizer.forks(), [276, 277, 278, 279]);
    assert_eq!(tokenizer.encode_text(" the").unwrap().len(), 1);
    assert_eq!(tokenizer.encode_text("1234").unwrap().len(), 4, "digits stay single");
    let json = tokenizer.to_json().unwrap();
    for _ in 0..5 {
        assert_eq!(Tokenizer::train_bytes(&corpus(), 280, 4).unwrap().to_json().unwrap(), json);
    }
}

#[test]
fn training_on_little_text_ends_early() {
    let tokenizer = Tokenizer::train_bytes(&["ab"], 1000, 1).unwrap();
    assert_eq!(tokenizer.vocab_size(), 256 + 3 + 1);
    let nothing: [&str; 0] = [];
    assert_eq!(Tokenizer::train_bytes(&nothing, 260, 1).unwrap().vocab_size(), 260);
    let message = Tokenizer::train_bytes(&["ab"], 259, 1).unwrap_err().to_string();
    assert_eq!(
        message,
        "a vocabulary of 259 tokens is too small: 256 bytes, the special tokens and 1 forks need 260; ask for at least 260"
    );
}

#[test]
fn files_come_back() {
    for tokenizer in [&*BYTES, &*TRAINED] {
        let json = tokenizer.to_json().unwrap();
        let roles = Roles { eos: Some(tokenizer.eos_token().to_owned()), ..Roles::default() };
        let loaded = Tokenizer::from_json(json.as_bytes(), roles).unwrap();
        assert_eq!(loaded.to_json().unwrap(), json);
        assert_eq!(
            (loaded.forks(), loaded.eos(), loaded.pad()),
            (tokenizer.forks(), tokenizer.eos(), tokenizer.pad())
        );
        assert_eq!(loaded.vocab_size(), tokenizer.vocab_size());
        for text in AWKWARD {
            assert_round_trip(&loaded, text);
        }
    }
}

/// `tokenizer.json` of another model: a different end of sequence, one added token that is not special, and forking
/// tokens in front of other tokens and not marked special.
fn foreign() -> Value {
    let mut json: Value = serde_json::from_str(&Tokenizer::bytes(0).unwrap().to_json().unwrap()).unwrap();
    let token = |id: u32, content: &str, special: bool| {
        serde_json::json!({"id":id,"content":content,"single_word":false,"lstrip":false,"rstrip":false,
                           "normalized":false,"special":special})
    };
    json["added_tokens"] = serde_json::json!([
        token(256, "<think1>", false),
        token(257, "<think2>", false),
        token(258, "<|stop|>", true),
        token(259, "</think>", false),
    ]);
    json["truncation"] =
        serde_json::json!({"direction":"Right","max_length":2,"strategy":"LongestFirst","stride":0});
    json
}

/// The roles of that model.
fn stop() -> Roles {
    Roles { bos: Some("<s>".to_owned()), eos: Some("<|stop|>".to_owned()), ..Roles::default() }
}

#[test]
fn foreign_files_keep_their_ids() {
    let tokenizer = Tokenizer::from_json(foreign().to_string().as_bytes(), stop()).unwrap();
    assert_eq!(tokenizer.forks(), [256, 257]);
    assert_eq!((tokenizer.eos(), tokenizer.pad(), tokenizer.bos_token()), (258, 258, Some("<s>")));
    assert_eq!(tokenizer.vocab_size(), 260);
    assert_eq!(tokenizer.token_id("</think>"), Some(259));
    // An added token that is not special is an ordinary word. Nothing is truncated.
    let text = "<think1>a</think><|stop|>";
    let spelled = |text: &str| text.bytes().map(u32::from).collect::<Vec<_>>();
    let expected = [spelled("<think1>a"), vec![259], spelled("<|stop|>")].concat();
    assert_eq!(tokenizer.encode_text(text).unwrap(), expected);
    assert_eq!(tokenizer.decode(&expected).unwrap(), text);
    let expected = [spelled("<think1>a"), vec![259, 258]].concat();
    assert_eq!(tokenizer.encode_template(text).unwrap(), expected);
}

/// As in transformers, which numbers the added tokens by their ids.
#[test]
fn added_tokens_may_be_listed_in_any_order() {
    let load = |json: &Value| Tokenizer::from_json(json.to_string().as_bytes(), stop());
    let mut shuffled = foreign();
    shuffled["added_tokens"].as_array_mut().unwrap().reverse();
    let (sorted, shuffled) = (load(&foreign()).unwrap(), load(&shuffled).unwrap());
    assert_eq!(shuffled.to_json().unwrap(), sorted.to_json().unwrap());
}

#[test]
fn forks_are_added_behind_the_largest_id() {
    let tokenizer = Tokenizer::from_json(foreign().to_string().as_bytes(), stop()).unwrap();
    let before = tokenizer.vocab_size();
    assert_eq!(tokenizer.clone().with_forks(1).unwrap().vocab_size(), before);
    let grown = tokenizer.with_forks(4).unwrap();
    assert_eq!(grown.forks(), [256, 257, 260, 261]);
    assert_eq!((grown.eos(), grown.vocab_size()), (258, 262));
    assert_eq!(grown.encode_text("<think4>").unwrap().len(), 8);
}

/// The library numbers new tokens from the size of the vocabulary, which is a used id if the ids have gaps.
#[test]
fn a_hole_in_the_ids_is_no_place_for_a_fork() {
    let mut json: Value = serde_json::from_str(&Tokenizer::bytes(0).unwrap().to_json().unwrap()).unwrap();
    json["added_tokens"] = Value::Array(Vec::new());
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    vocab.insert(END_OF_TEXT.to_owned(), 300.into());
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), Roles::default()).unwrap();
    let error = tokenizer.with_forks(2).unwrap_err().to_string();
    assert!(
        error.starts_with("tokenizer.json: ids are left out below 301, so that a new token would get 2"),
        "{error}"
    );
}

#[test]
fn broken_files_say_so() {
    let remedy = "use the tokenizer files of a Hugging Face model as they were published";
    let edit = |edit: &dyn Fn(&mut Value)| {
        let mut json = foreign();
        edit(&mut json);
        json.to_string()
    };
    let cases = [
        ("{".to_owned(), format!("not JSON (EOF while parsing an object at line 1 column 1); {remedy}")),
        ("[]".to_owned(), format!("not a JSON object; {remedy}")),
        ("{}".to_owned(), format!("not a tokenizer (Model missing.); {remedy}")),
        (
            edit(&|json| json["added_tokens"][0]["content"] = "<think3>".into()),
            "there is a forking token <think2> but no <think1>; number the forking tokens from 1 without gaps".to_owned(),
        ),
        (
            edit(&|json| json["added_tokens"][3]["id"] = 300.into()),
            format!("token \"</think>\" is listed with id 300 but loads as 259; {remedy}"),
        ),
        (
            edit(&|json| json["added_tokens"][2]["content"] = "<|halt|>".into()),
            "the vocabulary has no end-of-sequence token \"<|stop|>\"; name the right one as \"eos_token\" in tokenizer_config.json beside it".to_owned(),
        ),
    ];
    for (json, reason) in cases {
        let message = Tokenizer::from_json(json.as_bytes(), stop()).unwrap_err().to_string();
        assert_eq!(message, format!("tokenizer.json: {reason}"));
    }
    let nameless = |eos_id: Option<u32>| {
        let roles = Roles { end_ids: eos_id.into_iter().collect(), ..Roles::default() };
        Tokenizer::from_json(foreign().to_string().as_bytes(), roles)
            .map(|tokenizer| tokenizer.eos_token().to_owned())
            .map_err(|error| error.to_string())
    };
    let message = nameless(None).unwrap_err();
    assert!(message.contains("no end-of-sequence token \"<|endoftext|>\""), "{message}");
    assert_eq!(nameless(Some(9999)), Err(message), "an id that no token has is no help");
    assert_eq!(nameless(Some(258)), Ok("<|stop|>".to_owned()));
}

#[test]
fn a_stream_says_what_decoding_says() {
    let learned = ["a € b", "grün und blau", "日本語のテキスト"];
    let tokenizers = [Tokenizer::bytes(2).unwrap(), Tokenizer::train_bytes(&learned, 300, 2).unwrap()];
    for tokenizer in &tokenizers {
        for text in ["plain", "a € b", "日本語", "🙂 and 🙃", " spaces  and\nlines\n"] {
            let mut stream = tokenizer.stream(&[]).unwrap();
            let tokens = tokenizer.encode_text(text).unwrap();
            let pieces: Vec<String> =
                tokens.iter().filter_map(|&token| stream.push(token).unwrap()).collect();
            assert_eq!(pieces.concat(), text);
        }
        // Random ids, as from a random model: invalid bytes, forks, end of sequence, ids outside the vocabulary.
        let mut state = 7u32;
        for _ in 0..200 {
            let mut stream = tokenizer.stream(&[]).unwrap();
            let mut next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) % (tokenizer.vocab_size() as u32 + 3)
            };
            let tokens: Vec<u32> = (0..40).map(|_| next()).collect();
            let said: String = tokens.iter().filter_map(|&token| stream.push(token).unwrap()).collect();
            let whole = tokenizer.decode(&tokens).unwrap();
            let rest = whole.strip_prefix(&said).unwrap_or_else(|| panic!("{said:?} in {whole:?}"));
            assert!(rest.chars().all(|c| c == char::REPLACEMENT_CHARACTER), "{rest:?}");
        }
    }
}

/// Dropout would make the encoding random, so that a resumed run would differ.
#[test]
fn dropout_is_switched_off() {
    let mut json: Value = serde_json::from_str(&Tokenizer::bytes(0).unwrap().to_json().unwrap()).unwrap();
    json["model"]["dropout"] = 0.5.into();
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), Roles::default()).unwrap();
    let written: Value = serde_json::from_str(&tokenizer.to_json().unwrap()).unwrap();
    assert_eq!(written["model"]["dropout"], Value::Null);
}

/// A fork name that is an ordinary vocabulary entry would be reachable from text.
#[test]
fn an_ordinary_entry_is_no_fork() {
    let mut json: Value = serde_json::from_str(&Tokenizer::bytes(0).unwrap().to_json().unwrap()).unwrap();
    let vocabulary = json["model"]["vocab"].as_object_mut().unwrap();
    let id = vocabulary.shift_remove("ÿ").unwrap();
    vocabulary.insert("<think2>".to_owned(), id);
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), Roles::default()).unwrap();
    assert!(tokenizer.clone().with_forks(1).is_ok());
    let error = tokenizer.with_forks(2).unwrap_err().to_string();
    let says = "tokenizer.json: <think2> is an entry of the vocabulary, but no special token; ";
    assert!(error.starts_with(says), "{error}");
}

/// A `Strip` decoder that cuts more characters than the token has makes the library panic.
#[test]
fn a_library_that_panics_is_an_error() {
    let mut json: Value = serde_json::from_str(&Tokenizer::bytes(0).unwrap().to_json().unwrap()).unwrap();
    let strip = r#"{"type":"Strip","content":"a","start":0,"stop":3}"#;
    json["decoder"] = serde_json::from_str(strip).unwrap();
    let tokenizer = Tokenizer::from_json(json.to_string().as_bytes(), Roles::default()).unwrap();
    let tokens = tokenizer.encode_text("a").unwrap();
    let error = tokenizer.decode(&tokens).unwrap_err().to_string();
    assert!(
        error.starts_with("the tokenizer cannot decode the tokens (its parts contradict each other)"),
        "{error}"
    );
}
