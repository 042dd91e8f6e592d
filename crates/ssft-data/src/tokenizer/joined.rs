//! Token ids of the pieces of a row, as the tokenizer gives them for the whole text of the row.
//!
//! ```text
//! rendered template  before | <think i>  after  trace | <eos>
//! ```
//!
//! Tokenizers treat the middle of a text differently from its start: Metaspace (`prepend_scheme` first) puts a blank in front
//! of the first piece only, and `after` and the beginning of a trace may share a token. A piece is therefore encoded beside
//! what stands next to it, and then cut out. Forking token and end of sequence are represented by marks, so that the same
//! names spelled in the text stay text.

use super::{Tokenizer, encode, failed};
use crate::error::DataError;
use tokenizers::AddedToken;

/// Spelling of the mark that represents a forking token.
const FORK_MARK: &str = "<|ssft-fork-8d1f3a6c|>";
/// Spelling of the mark that represents the end of sequence.
const END_MARK: &str = "<|ssft-end-8d1f3a6c|>";
/// Spelling of the mark that represents another special token.
const SPECIAL_MARK: &str = "<|ssft-special-8d1f3a6c|>";

/// Ids of added tokens that exist in memory only. A mark splits a text as the token that it represents: it has the same
/// `single_word`, `lstrip`, `rstrip` and `normalized`.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    fork: u32,
    special: u32,
    /// `None` if the end of sequence splits no text, or not every one: an ordinary entry of the vocabulary, or a token that is
    /// `normalized` or `single_word`. The trace then ends the text.
    end: Option<u32>,
}

/// Whether special tokens spelled in a rendered template are recognized.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markers {
    /// They become special tokens, as in transformers: the output of a chat template.
    Recognized,
    /// They stay text: the output of the plain template, which is a user's text alone.
    Text,
}

/// A part of the text of a row.
#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Text(&'a str),
    Fork,
    Special,
    End,
}

impl Marks {
    /// Adds the marks to each of `tokenizers`, which have one vocabulary of `rows` rows.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library rejects a token; [`DataError::ModelFile`] if the forking tokens split a text
    /// differently, or gaps in the ids give a mark the id of a token.
    pub(super) fn add(
        tokenizers: &mut [&mut tokenizers::Tokenizer],
        forks: &[u32],
        eos: &str,
        rows: usize,
    ) -> Result<Self, DataError> {
        let added = tokenizers.first().map(|first| first.get_added_tokens_decoder()).unwrap_or_default();
        let like = |token: &AddedToken, mark: &str| AddedToken {
            content: mark.to_owned(),
            special: false,
            ..token.clone()
        };
        let mut of_forks = forks.iter().filter_map(|id| added.get(id)).map(|token| like(token, FORK_MARK));
        // New forking tokens are special tokens of the library's default form.
        let fork = of_forks.next().unwrap_or_else(|| like(&AddedToken::from(FORK_MARK, true), FORK_MARK));
        if of_forks.any(|other| other != fork) {
            return Err(super::damaged(
                "the forking tokens differ in single_word, lstrip, rstrip or normalized".to_owned(),
                "give all of them the same",
            ));
        }
        let splits = |token: &&AddedToken| token.content == eos && !token.normalized && !token.single_word;
        let end = added.values().find(splits).map(|token| like(token, END_MARK));
        let special = like(&AddedToken::from(SPECIAL_MARK, true), SPECIAL_MARK);
        // The library numbers new tokens from the size of the vocabulary, where ids may have gaps. These tokens only encode, so
        // that a token without a use may have the id of another one.
        let entries = tokenizers.first().map_or(rows, |first| first.get_vocab_size(true));
        let gap = |at: usize| like(&special, &format!("{SPECIAL_MARK}{at}"));
        let gaps: Vec<AddedToken> = (0..rows.saturating_sub(entries)).map(gap).collect();
        let mut marks = None;
        for tokenizer in tokenizers {
            let tokens = [fork.clone(), special.clone()].into_iter().chain(end.clone());
            tokenizer.add_tokens(gaps.iter().cloned().chain(tokens)).map_err(failed("add its marks"))?;
            let id = |mark: &str| tokenizer.token_to_id(mark).filter(|&id| id as usize >= rows);
            let ends = end.is_none() || id(END_MARK).is_some();
            let pair = id(FORK_MARK).zip(id(SPECIAL_MARK)).filter(|_| ends);
            marks = pair.map(|(fork, special)| Self { fork, special, end: id(END_MARK) });
        }
        marks.ok_or_else(|| {
            super::broken(format!(
                "ids are left out below {rows}, so that a new token would get one that another one has"
            ))
        })
    }

    fn contain(&self, id: u32) -> bool {
        [Some(self.fork), Some(self.special), self.end].contains(&Some(id))
    }
}

impl Tokenizer {
    /// Token ids of the text in front of a forking token: the output `rendered` of a template, then the template text `before`.
    ///
    /// # Errors
    /// [`DataError::Tokenizer`] if the library reports an error or covers the forking token with another one;
    /// [`DataError::Reserved`] if a text spells a mark.
    ///
    /// ```
    /// use ssft_data::tokenizer::{Tokenizer, joined::Markers};
    ///
    /// let tokenizer = Tokenizer::bytes(2)?;
    /// let prompt = tokenizer.prompt("1+1=", Markers::Text, "<|im_start|>")?;
    /// assert_eq!(prompt, [49, 43, 49, 61, 257]);
    /// # Ok::<(), ssft_data::error::DataError>(())
    /// ```
    pub fn prompt(&self, rendered: &str, markers: Markers, before: &str) -> Result<Vec<u32>, DataError> {
        match markers {
            Markers::Recognized => {
                let row = [Piece::Text(rendered), Piece::Text(before), Piece::Fork];
                self.part(&self.template, &row, 0)
            }
            Markers::Text => {
                let (head, tail) = before.split_at(self.first_special(before));
                let text = format!("{rendered}{head}");
                let (text, next) = match tail {
                    "" => (text.as_str(), Piece::Fork),
                    tail if self.strips_left(tail) => (text.trim_end(), Piece::Special),
                    _ => (text.as_str(), Piece::Special),
                };
                let mut prompt = self.part(&self.text, &[Piece::Text(text), next], 0)?;
                if !tail.is_empty() {
                    // A mark in front of it, because the tail does not begin the text.
                    let row = [Piece::Special, Piece::Text(tail), Piece::Fork];
                    prompt.extend(self.part(&self.template, &row, 1)?);
                }
                Ok(prompt)
            }
        }
    }

    /// Token ids of the text `after` directly behind a forking token, where the text ends.
    ///
    /// # Errors
    /// As [`Tokenizer::prompt`].
    pub fn behind_fork(&self, after: &str) -> Result<Vec<u32>, DataError> {
        self.part(&self.text, &[Piece::Fork, Piece::Text(after)], 1)
    }

    /// Token ids of `after` and `trace` between a forking token and the end of sequence.
    ///
    /// # Errors
    /// As [`Tokenizer::prompt`].
    pub fn to_the_end(&self, after: &str, trace: &str) -> Result<Vec<u32>, DataError> {
        let row = [Piece::Fork, Piece::Text(after), Piece::Text(trace), Piece::End];
        self.part(&self.text, &row, 1)
    }

    /// Whether the special token that begins `text` takes the white space in front of it.
    fn strips_left(&self, text: &str) -> bool {
        let added = self.file.get_added_tokens_decoder();
        added.values().any(|token| token.special && token.lstrip && text.starts_with(&token.content))
    }

    /// Byte offset of the first special token spelled in `text`, or the text's length.
    fn first_special(&self, text: &str) -> usize {
        let found = self.special_names().into_iter().filter_map(|name| text.find(&name)).min();
        found.unwrap_or(text.len())
    }

    /// Token ids of one part of a row that is cut at its marks; parts are counted from 0.
    fn part(
        &self,
        tokenizer: &tokenizers::Tokenizer,
        row: &[Piece<'_>],
        index: usize,
    ) -> Result<Vec<u32>, DataError> {
        let (mut text, mut cuts) = (String::new(), 0);
        for piece in row {
            match *piece {
                Piece::Text(piece) => {
                    let spelled =
                        [FORK_MARK, SPECIAL_MARK, END_MARK].into_iter().find(|mark| piece.contains(mark));
                    if let Some(mark) = spelled {
                        return Err(DataError::Reserved { mark });
                    }
                    text += piece;
                }
                Piece::Fork => {
                    text += FORK_MARK;
                    cuts += 1;
                }
                Piece::Special => {
                    text += SPECIAL_MARK;
                    cuts += 1;
                }
                Piece::End if self.marks.end.is_some() => {
                    text += END_MARK;
                    cuts += 1;
                }
                Piece::End => {}
            }
        }
        let ids = encode(tokenizer, &text, "encode the text")?;
        let parts: Vec<&[u32]> = ids.split(|&id| self.marks.contain(id)).collect();
        if parts.len() != cuts + 1 {
            let reason = "its entry is normalized or single_word, or another added token covers it";
            return Err(failed("find the forking token in a text")(reason.into()));
        }
        Ok(parts[index].to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::Roles;
    use proptest::prelude::*;
    use serde_json::{Value, json};
    use std::sync::LazyLock;

    /// A tokenizer of bytes, letters and blanks with merges across them, and one special token of each kind.
    fn kind(normalizer: Value, pre_tokenizer: Value) -> Value {
        let bytes = (0..256).map(|byte| format!("<0x{byte:02X}>"));
        let pieces = ["▁", "a", "b", "1", "▁a", "ab", "1a", "▁▁", "\n", "\n\n", "\n1"];
        let pieces = bytes.chain(pieces.map(str::to_owned));
        let vocab: serde_json::Map<String, Value> =
            pieces.enumerate().map(|(id, piece)| (piece, json!(id))).collect();
        let names = ["</s>", "<|im_start|>", "<|im_end|>", "<think1>", "<think2>"];
        let token = |(at, name): (usize, &str)| {
            let id = vocab.len() + at;
            json!({"id": id, "content": name, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
        };
        let mut decoders = vec![
            json!({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}),
            json!({"type": "ByteFallback"}),
            json!({"type": "Fuse"}),
        ];
        if pre_tokenizer != metaspace("never") {
            decoders.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
        }
        json!({
            "added_tokens": names.into_iter().enumerate().map(token).collect::<Vec<_>>(),
            "normalizer": normalizer,
            "pre_tokenizer": pre_tokenizer,
            "decoder": {"type": "Sequence", "decoders": decoders},
            "model": {
                "type": "BPE", "vocab": vocab, "byte_fallback": true,
                "merges": [["▁", "a"], ["a", "b"], ["1", "a"], ["▁", "▁"], ["\n", "\n"], ["\n", "1"]],
            },
        })
    }

    fn metaspace(scheme: &str) -> Value {
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": false})
    }

    fn prepend() -> Value {
        let blanks = json!({"type": "Replace", "pattern": {"String": " "}, "content": "▁"});
        json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, blanks]})
    }

    fn load(json: &Value) -> Tokenizer {
        let roles = Roles { eos: Some("</s>".to_owned()), ..Roles::default() };
        Tokenizer::from_json(json.to_string().as_bytes(), roles).unwrap()
    }

    /// Index of the kind whose special tokens are normalized.
    const NORMALIZED: usize = 4;

    /// Our tokenizer of each kind, and the library's own, which recognizes every special token.
    static KINDS: LazyLock<Vec<(Tokenizer, tokenizers::Tokenizer)>> = LazyLock::new(|| {
        let strips = |mut json: Value, flag: &str| {
            json["added_tokens"]
                .as_array_mut()
                .unwrap()
                .iter_mut()
                .for_each(|token| token[flag] = json!(true));
            // Its own test has a normalized end.
            json["added_tokens"][0]["normalized"] = json!(false);
            json
        };
        let mut forks_strip = kind(Value::Null, metaspace("first"));
        for fork in [3, 4] {
            forks_strip["added_tokens"][fork]["lstrip"] = json!(true);
        }
        let kinds = [
            kind(Value::Null, metaspace("first")),
            kind(Value::Null, metaspace("always")),
            kind(Value::Null, metaspace("never")),
            kind(prepend(), Value::Null),
            strips(kind(prepend(), Value::Null), "normalized"),
            strips(kind(Value::Null, metaspace("first")), "lstrip"),
            strips(kind(Value::Null, metaspace("always")), "rstrip"),
            forks_strip,
            kind(json!({"type": "Strip", "strip_left": true, "strip_right": true}), metaspace("first")),
        ];
        kinds.iter().map(|json| (load(json), serde_json::from_value(json.clone()).unwrap())).collect()
    });

    fn first() -> &'static Tokenizer {
        &KINDS[0].0
    }

    fn names(tokenizer: &Tokenizer, ids: &[u32]) -> String {
        ids.iter().filter_map(|&id| tokenizer.spelling(id)).collect::<Vec<_>>().join(" ")
    }

    /// Metaspace with `prepend_scheme` first puts a blank in front of a text, and none in front of its middle.
    #[test]
    fn a_piece_from_the_middle_is_no_text_of_its_own() {
        let tokenizer = first();
        assert_eq!(names(tokenizer, &tokenizer.encode_text("\n").unwrap()), "▁ \n");
        assert_eq!(names(tokenizer, &tokenizer.behind_fork("\n").unwrap()), "\n");
        assert_eq!(names(tokenizer, &tokenizer.to_the_end("\n", "ab").unwrap()), "\n ab");
        assert_eq!(names(tokenizer, &tokenizer.to_the_end("", "ab").unwrap()), "ab");
        let prompt = |markers, before| names(tokenizer, &tokenizer.prompt("a\n", markers, before).unwrap());
        assert_eq!(prompt(Markers::Text, "<|im_start|>\n"), "▁a \n <|im_start|> \n");
        assert_eq!(prompt(Markers::Text, "\n<|im_start|>"), "▁a \n\n <|im_start|>");
        assert_eq!(prompt(Markers::Recognized, "\n"), "▁a \n\n");
    }

    #[test]
    fn a_blank_at_the_beginning_of_a_trace_comes_back() {
        for (tokenizer, _) in &KINDS[..NORMALIZED] {
            for (after, trace) in [("", "ab"), ("", " ab"), ("", "  b"), ("\n", "ab"), ("\n", " ab")] {
                let row = |trace: &str| tokenizer.to_the_end(after, trace).unwrap();
                // With `always` a word and a blank before it have the same tokens, so that one blank is lost.
                if trace.starts_with(' ') && row("b") == row(" b") {
                    continue;
                }
                let lead = [vec![tokenizer.forks()[0]], tokenizer.behind_fork(after).unwrap()].concat();
                let tokens = row(trace).split_off(lead.len() - 1);
                assert_eq!(
                    tokenizer.decode_behind(&lead, &tokens).unwrap(),
                    trace,
                    "{:?}",
                    names(tokenizer, &tokens)
                );
                let mut stream = tokenizer.stream(&lead).unwrap();
                let pieces: Vec<String> =
                    tokens.iter().filter_map(|&token| stream.push(token).unwrap()).collect();
                assert_eq!(pieces.concat(), trace);
            }
        }
    }

    #[test]
    fn names_of_marks_are_refused() {
        for mark in [FORK_MARK, SPECIAL_MARK, END_MARK] {
            let message = first().to_the_end("", &format!("a{mark}b")).unwrap_err().to_string();
            assert_eq!(
                message,
                format!("a text contains {mark}, which this program adds to texts as a mark; take it out")
            );
        }
    }

    /// In transformers, too, such a forking token is text.
    #[test]
    fn a_forking_token_that_is_not_found_is_an_error() {
        let mut json = kind(Value::Null, metaspace("first"));
        json["added_tokens"][3]["single_word"] = json!(true);
        let message = Tokenizer::from_json(
            json.to_string().as_bytes(),
            Roles { eos: Some("</s>".to_owned()), ..Roles::default() },
        )
        .unwrap_err()
        .to_string();
        assert!(
            message.contains("the forking tokens differ in single_word, lstrip, rstrip or normalized"),
            "{message}"
        );
        json["added_tokens"][4]["single_word"] = json!(true);
        let tokenizer = load(&json);
        assert_eq!(names(&tokenizer, &tokenizer.behind_fork("\n").unwrap()), "\n");
        let message = tokenizer.behind_fork("a").unwrap_err().to_string();
        assert!(message.starts_with("the tokenizer cannot find the forking token"), "{message}");
    }

    /// As in older Llama models; a trainer appends the end by its id.
    #[test]
    fn an_end_that_text_cannot_spell_does_no_harm() {
        let mut json = kind(prepend(), Value::Null);
        json["added_tokens"][0]["normalized"] = json!(true);
        let tokenizer = load(&json);
        assert_eq!(names(&tokenizer, &tokenizer.to_the_end("", "ab").unwrap()), "▁a b");
    }

    proptest! {
        #[test]
        fn rows_have_the_tokens_of_the_whole_text(
            question in "[ab1 \\n\u{2581}é]{0,6}", before in "(\\n| )?(<\\|im_start\\|>)?[a \\n]{0,2}",
            after in "[a1 \\n]{0,2}", trace in "[ab1 \\n\u{2581}é]{0,6}",
        ) {
            for (kind, (ours, library)) in KINDS.iter().enumerate() {
                let whole = format!("{question}{before}<think2>{after}{trace}</s>");
                let expected = library.encode_fast(whole.as_str(), false).unwrap().get_ids().to_vec();
                for markers in [Markers::Text, Markers::Recognized] {
                    if kind == NORMALIZED && markers == Markers::Text {
                        // Whether `<|im_start|>` is found there depends on all the text before it.
                        continue;
                    }
                    let parts = (ours.prompt(&question, markers, &before), ours.to_the_end(&after, &trace));
                    let (Ok(prompt), Ok(behind)) = parts else {
                        // The library takes it for text, too.
                        let ends = [ours.forks()[1], ours.eos()];
                        prop_assert!(!ends.iter().all(|end| expected.contains(end)), "{}", names(ours, &expected));
                        continue;
                    };
                    let row = [prompt, vec![ours.forks()[1]], behind, vec![ours.eos()]].concat();
                    prop_assert_eq!(&row, &expected, "{} {:?}", names(ours, &row), markers);
                }
            }
        }
    }
}
