//! JSON files of other programs: read as Python writes them, written back as they came.
//!
//! Python's `json` writes `NaN`, `Infinity` and `-Infinity`, numbers beyond f64 (`1e999`), and halves of surrogate pairs
//! (`\ud83d`), none of which is a JSON value. [`Document`] reads such a file and represents each of them by a marked text: U+0000,
//! then its spelling. Only a reader of that very key has to refuse it.

use crate::words::one_line;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Spelling in JSON of the character that begins a marked text.
const MARK: &str = "\\u0000";
/// The character that begins a marked text.
const MARK_CHAR: char = '\0';

/// A JSON object with the text that it was read from.
///
/// ```
/// use ssft_data::json::Document;
///
/// let file = r#"{"vocab_size": 9, "scale": 5.20, "limit": 1267650600228229401496703205376}"#;
/// let document = Document::parse(file.as_bytes()).unwrap();
/// let mut value = document.value().clone();
/// value["vocab_size"] = 12.into();
/// let written = "{\n  \"vocab_size\": 12,\n  \"scale\": 5.20,\n  \"limit\": 1267650600228229401496703205376\n}\n";
/// assert_eq!(document.updated(&value), written);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Valid JSON: the text of the file with marked texts.
    text: String,
    value: Value,
    marks: Marked,
}

/// Whether the text of a document has marked texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marked {
    No,
    Yes,
}

impl Document {
    /// Reads the content of a file.
    ///
    /// # Errors
    /// A few words on what is wrong: not UTF-8, not JSON, or no object.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| format!("not UTF-8 ({error})"))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim();
        let (text, value, marks) = match serde_json::from_str(text) {
            Ok(value) => (text.to_owned(), value, Marked::No),
            Err(error) => {
                let marked = marked(text).and_then(|text| Some((serde_json::from_str(&text).ok()?, text)));
                let refused = || format!("not JSON ({})", one_line(&error.to_string()));
                let (value, text): (Value, String) = marked.ok_or_else(refused)?;
                (text, value, Marked::Yes)
            }
        };
        if !value.is_object() {
            return Err("not a JSON object".to_owned());
        }
        Ok(Self { text, value, marks })
    }

    /// The content. Its numbers are those of the file only as far as f64 and 64-bit integers can be.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// The text of `new`, a changed [`Self::value`]: indented JSON, in which all that has not changed is spelled as in the file.
    pub fn updated(&self, new: &Value) -> String {
        let text = merged(&self.text, &self.value, new, 0) + "\n";
        match self.marks {
            Marked::No => text,
            Marked::Yes => unmarked(&text),
        }
    }
}

impl From<Value> for Document {
    fn from(value: Value) -> Self {
        Self { text: value.to_string(), value, marks: Marked::No }
    }
}

/// The spelling of a value of [`Document::value`] that is no JSON value, for example `NaN`.
pub fn spelling(value: &Value) -> Option<&str> {
    value.as_str()?.strip_prefix(MARK_CHAR)
}

/// What a marked text stands for, and what to do about it, by its spelling.
pub fn in_words(spelling: &str) -> String {
    match spelling.starts_with('\\') {
        true => format!("{spelling}, half of a character; write the whole character, or leave it out"),
        false => format!("{spelling}, which JSON does not have; write it as text, or null for nothing"),
    }
}

/// The first marked text in `value`: its place, for example `traces[0].text`, and its spelling.
pub fn first_mark(value: &Value) -> Option<(String, String)> {
    found(value, String::new())
}

/// The first marked text in `value`, whose place is `place`.
fn found(value: &Value, place: String) -> Option<(String, String)> {
    match value {
        Value::String(text) => {
            let (_, odd) = text.split_once(MARK_CHAR)?;
            let half = odd.strip_prefix('u').and_then(|digits| digits.get(..4));
            Some((place, half.map_or_else(|| odd.to_owned(), |digits| format!("\\u{digits}"))))
        }
        Value::Array(values) => {
            values.iter().enumerate().find_map(|(index, value)| found(value, format!("{place}[{index}]")))
        }
        Value::Object(entries) => entries.iter().find_map(|(key, value)| {
            let point = if place.is_empty() { "" } else { "." };
            found(value, format!("{place}{point}{key}"))
        }),
        _ => None,
    }
}

/// The text of `new` with the spelling of `old`, whose value is `value`, where the two are equal.
fn merged(old: &str, value: &Value, new: &Value, depth: usize) -> String {
    if value == new {
        return old.to_owned();
    }
    let inside = "  ".repeat(depth + 1);
    let (brackets, parts) = match (value, new) {
        (Value::Object(value), Value::Object(new)) => (["{", "}"], merged_object(old, value, new, depth + 1)),
        (Value::Array(value), Value::Array(new)) => (["[", "]"], merged_list(old, value, new, depth + 1)),
        _ => ([""; 2], Vec::new()),
    };
    match parts[..] {
        [] => format!("{new:#}").replace('\n', &format!("\n{}", &inside[2..])),
        _ => {
            let parts = parts.join(&format!(",\n{inside}"));
            format!("{}\n{inside}{parts}\n{}{}", brackets[0], &inside[2..], brackets[1])
        }
    }
}

fn merged_object(
    old: &str,
    value: &Map<String, Value>,
    new: &Map<String, Value>,
    depth: usize,
) -> Vec<String> {
    let texts: BTreeMap<String, &str> = members(old).map(|(key, text)| (name(key), text)).collect();
    let part = |(key, new): (&String, &Value)| {
        let text = texts.get(key).copied().unwrap_or("null");
        let text = merged(text, value.get(key).unwrap_or(&ABSENT), new, depth);
        format!("{}: {text}", Value::from(key.as_str()))
    };
    new.iter().map(part).collect()
}

fn merged_list(old: &str, value: &[Value], new: &[Value], depth: usize) -> Vec<String> {
    let texts: Vec<&str> = members(old).map(|(_, text)| text).collect();
    let part = |(index, new): (usize, &Value)| {
        let text = texts.get(index).copied().unwrap_or("null");
        merged(text, value.get(index).unwrap_or(&ABSENT), new, depth)
    };
    new.iter().enumerate().map(part).collect()
}

/// The value of a key or an index that the file does not have.
static ABSENT: Value = Value::Null;

/// Keys (as literals) and values of an object in JSON, or values of a list with empty keys, as they are spelled. `text` has to be
/// valid.
pub fn members(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let text = text.trim();
    let is_object = text.starts_with('{');
    let mut rest = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return None;
        }
        let mut key = "";
        if is_object {
            (key, rest) = rest.split_at(string_length(rest));
            rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ':');
        }
        let (value, behind) = rest.split_at(value_length(rest));
        rest = behind;
        Some((key, value))
    })
}

/// The text of the literal of a key; the literal itself if it has half of a surrogate pair.
pub fn name(literal: &str) -> String {
    serde_json::from_str(literal).unwrap_or_else(|_| literal.to_owned())
}

/// `text` with marked texts for all that Python writes and JSON does not have; `None` if the text has the mark already.
pub fn marked(text: &str) -> Option<String> {
    if text.contains(MARK) {
        return None;
    }
    let mut rest = text;
    let mut marked = String::with_capacity(text.len());
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string_length(rest),
            '-' | '+' | '.' | '0'..='9' | 'A'..='Z' | 'a'..='z' => word_length(rest),
            other => other.len_utf8(),
        };
        let (token, behind) = rest.split_at(length);
        match first {
            '"' => marked += &without_halves(token),
            _ if is_beyond(token) && !behind.trim_start().starts_with(':') => {
                marked += &format!("\"{MARK}{token}\"")
            }
            _ => marked += token,
        }
        rest = behind;
    }
    Some(marked)
}

/// Length in bytes of the string literal that begins `text`; all of it if it does not end.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let closes = |(_, byte): &(usize, u8)| {
        let closes = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        closes
    };
    text.bytes().enumerate().skip(1).find(closes).map_or(text.len(), |(at, _)| at + 1)
}

/// Length in bytes of the value that begins `text`.
fn value_length(text: &str) -> usize {
    let (mut at, mut depth) = (0, 0);
    loop {
        let rest = &text[at..];
        at += match rest.chars().next() {
            None => return at,
            Some('"') => string_length(rest),
            Some(other) => {
                match other {
                    '{' | '[' => depth += 1,
                    '}' | ']' => depth -= 1,
                    _ if depth == 0 => return at + word_length(rest).max(1),
                    _ => {}
                }
                other.len_utf8()
            }
        };
        if depth == 0 {
            return at;
        }
    }
}

/// Length in bytes of the number or name that begins `text`.
fn word_length(text: &str) -> usize {
    let ends = |c: char| !(c.is_ascii_alphanumeric() || ['-', '+', '.'].contains(&c));
    text.find(ends).unwrap_or(text.len())
}

/// Whether a number or name is none of JSON's, but of Python's: `NaN`, `Infinity`, or a number beyond f64.
fn is_beyond(word: &str) -> bool {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let is_number = word.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && !(digits.starts_with('0') && digits[1..].starts_with(|c: char| c.is_ascii_digit()));
    matches!(word, "NaN" | "Infinity" | "-Infinity")
        || is_number && word.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// A string literal in which the escape of half a surrogate pair is marked.
fn without_halves(literal: &str) -> String {
    let mut written = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        written += before;
        let length = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                written += MARK;
                written += &escape[1..6];
                rest = &escape[6..];
                continue;
            }
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        written += &escape[..length];
        rest = &escape[length..];
    }
    written + rest
}

/// The number in an escape like `\ud83d` that begins `text`.
fn code_unit(text: &str) -> Option<u32> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

/// `text` with the spelling of the file for every marked text.
fn unmarked(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let (before, behind) = (&rest[..at], &rest[at + MARK.len()..]);
        match before.strip_suffix('"').filter(|_| !behind.starts_with('u')) {
            Some(before) => {
                let (word, behind) = behind.split_once('"').unwrap_or((behind, ""));
                written += before;
                written += word;
                rest = behind;
            }
            None => {
                written += before;
                written.push('\\');
                rest = behind;
            }
        }
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(text: &str) -> Document {
        Document::parse(text.as_bytes()).unwrap()
    }

    /// Numbers that serde_json would write differently.
    const NUMBERS: [&str; 8] = [
        "5.20",
        "-0",
        "1E5",
        "1e+5",
        "0.10000000149011612",
        "1267650600228229401496703205376",
        "1e16",
        "1.0",
    ];

    #[test]
    fn numbers_that_are_only_copied_keep_their_spelling() {
        for number in NUMBERS {
            let file = document(&format!(r#"{{"a":{number},"b":{{"c":[1,{{"d":{number}}}],"e":1}}}}"#));
            let mut value = file.value().clone();
            value["b"]["c"][0] = json!(2);
            value["b"]["new"] = json!({"x": [1]});
            let expected = format!(
                r#"{{
  "a": {number},
  "b": {{
    "c": [
      2,
      {{"d":{number}}}
    ],
    "e": 1,
    "new": {{
      "x": [
        1
      ]
    }}
  }}
}}
"#
            );
            assert_eq!(file.updated(&value), expected);
        }
    }

    #[test]
    fn removed_and_emptied_values_are_gone() {
        let file = document(r#"{"a": 1.50, "b": [1, 2], "c": {"d": null}}"#);
        assert_eq!(file.updated(&json!({"a": 1.5, "b": []})), "{\n  \"a\": 1.50,\n  \"b\": []\n}\n");
        assert_eq!(file.updated(&json!({})), "{}\n");
        let new_null = json!({"a": 1.5, "n": null});
        assert_eq!(file.updated(&new_null), "{\n  \"a\": 1.50,\n  \"n\": null\n}\n");
    }

    #[test]
    fn members_by_hand() {
        let text = r#" { "a" : [1, {"}": "]"}] ,"b\"\u00e9":"x\\" , "c":-1.5e3,"d":{}, "e" :true } "#;
        let expected = [
            (r#""a""#, r#"[1, {"}": "]"}]"#),
            (r#""b\"\u00e9""#, r#""x\\""#),
            (r#""c""#, "-1.5e3"),
            (r#""d""#, "{}"),
            (r#""e""#, "true"),
        ];
        assert_eq!(members(text).collect::<Vec<_>>(), expected);
        assert_eq!(name(expected[1].0), "b\"é");
        assert_eq!(members("[1, [] ,null]").collect::<Vec<_>>(), [("", "1"), ("", "[]"), ("", "null")]);
        assert_eq!(members("{ }").count() + members("[]").count(), 0);
    }

    #[test]
    fn what_python_writes_is_read_and_written_back() {
        let file = document(
            r#"{"a": NaN, "b": [-Infinity, Infinity, -1e999], "t": "NaN \ud83d \ud83d\ude00 \\ud83d", "s": 1}"#,
        );
        assert_eq!(spelling(&file.value()["a"]), Some("NaN"));
        assert_eq!(spelling(&file.value()["b"][2]), Some("-1e999"));
        assert_eq!(file.value()["t"], json!("NaN \0ud83d \u{1f600} \\ud83d"));
        let mut value = file.value().clone();
        value["s"] = json!(2);
        let written = file.updated(&value);
        let expected = r#"{
  "a": NaN,
  "b": [-Infinity, Infinity, -1e999],
  "t": "NaN \ud83d \ud83d\ude00 \\ud83d",
  "s": 2
}
"#;
        assert_eq!(written, expected);
    }

    #[test]
    fn the_place_of_such_a_value_is_named() {
        let place = |text: &str| {
            let value = serde_json::from_str(&marked(text).unwrap()).unwrap();
            first_mark(&value).map(|(place, odd)| format!("{place} {odd}"))
        };
        assert_eq!(
            place(r#"{"a": "b", "traces": [{"text": "x \ud83d"}]}"#).as_deref(),
            Some("traces[0].text \\ud83d")
        );
        assert_eq!(place(r#"{"answer": NaN}"#).as_deref(), Some("answer NaN"));
        assert_eq!(place(r#"{"answer": 1e999}"#).as_deref(), Some("answer 1e999"));
        assert_eq!(place(r#"{"answer": 1}"#), None);
    }

    #[test]
    fn marks_of_other_programs_are_no_marks() {
        let file = document(r#"{"a": "\u0000NaN", "b": 1}"#);
        assert_eq!(
            file.updated(&json!({"a": "\0NaN", "b": 2})),
            "{\n  \"a\": \"\\u0000NaN\",\n  \"b\": 2\n}\n"
        );
        assert!(Document::parse(br#"{"a": "\u0000", "b": NaN}"#).is_err());
    }

    #[test]
    fn other_faults_stay_faults() {
        for (text, says) in [
            ("{", "not JSON (EOF while parsing an object at line 1 column 1)"),
            ("[1]", "not a JSON object"),
            (r#"{"a": nan}"#, "not JSON (expected ident at line 1 column 8)"),
            (r#"{"a": 01}"#, "not JSON (invalid number at line 1 column 8)"),
            (r#"{"a": 01e999}"#, "not JSON (invalid number at line 1 column 8)"),
            (r#"{"a": -inf}"#, "not JSON (invalid number at line 1 column 8)"),
            (r#"{NaN: 1}"#, "not JSON (key must be a string at line 1 column 2)"),
            (r#"{"a": "\ud83"#, "not JSON (EOF while parsing a string at line 1 column 12)"),
            (r#"{"a": "\u12é"}"#, "not JSON (invalid escape at line 1 column 13)"),
        ] {
            assert_eq!(Document::parse(text.as_bytes()).unwrap_err(), says, "{text}");
        }
        assert!(Document::parse(b"\xff").unwrap_err().starts_with("not UTF-8 ("));
    }
}
