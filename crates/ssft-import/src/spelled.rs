//! Values that serde_json cannot hold as they are in the file.
//!
//! Such a value is an object whose only key is U+0000 and whose only entry is the spelling: `{"\u0000": "5.20"}`. No layout
//! reads an object in place of a text or a list, so that readers refuse it or leave it unread without a rule of their own.

use crate::strict::Strict;
use serde_json::{Map, Value};
use ssft_data::json;

/// The key of a spelling, and the character that begins a marked text of [`ssft_data::json`].
const MARK: char = '\0';
/// Length of an escape like `\ud83d` without its backslash.
const ESCAPE: usize = 5;

/// Whether a line of JSON has marked texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It is as it is in the file.
    AsWritten,
    /// It is the output of [`json::marked`].
    Marked,
}

/// The value of the JSON text `text`, a part of a `line`: numbers, and what JSON does not have, keep their spelling. `None` if it
/// is no JSON, or has an object with a key twice.
pub(super) fn value(text: &str, line: Line) -> Option<Value> {
    match serde_json::from_str(text).map(|Strict(value)| value) {
        Ok(Value::Number(number)) if number.to_string() != text => Some(spelling(text)),
        Ok(value) if line == Line::Marked => Some(unmarked(value)),
        Ok(value) => Some(value),
        // A number beyond f64, or half of a surrogate pair.
        Err(_) => serde_json::from_str(&json::marked(text)?).ok().map(|Strict(value)| unmarked(value)),
    }
}

/// The spelling of a value that serde_json cannot hold.
pub(super) fn of(value: &Value) -> Option<&str> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get(MARK.to_string().as_str())?.as_str()
}

/// The spelling of a value that is a finite number.
pub(super) fn of_number(value: &Value) -> Option<&str> {
    of(value).filter(|text| text.parse::<f64>().is_ok_and(f64::is_finite))
}

/// The first value in `value` that JSON does not have, at any depth.
pub(super) fn first(value: &Value) -> Option<&Value> {
    match value {
        odd if of(odd).is_some() => Some(odd).filter(|odd| of_number(odd).is_none()),
        Value::Array(values) => values.iter().find_map(first),
        Value::Object(entries) => entries.values().find_map(first),
        _ => None,
    }
}

/// What a spelling stands for, and what to do about it.
pub(super) fn in_words(spelling: &str) -> String {
    // Cells of Parquet files are described, for example `a date out of range`.
    match spelling.contains(' ') {
        true => format!("{spelling}, which cannot be read; convert the column"),
        false => json::in_words(spelling),
    }
}

/// `value` with spellings for its marked texts.
fn unmarked(value: Value) -> Value {
    match value {
        Value::String(text) => match text.split_once(MARK) {
            Some((_, half)) if half.starts_with('u') => {
                spelling(&format!("\\{}", half.chars().take(ESCAPE).collect::<String>()))
            }
            Some((_, word)) => spelling(word),
            None => Value::String(text),
        },
        Value::Array(values) => values.into_iter().map(unmarked).collect(),
        Value::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, unmarked(value))).collect())
        }
        other => other,
    }
}

/// A value with this spelling.
pub(super) fn spelling(text: &str) -> Value {
    Value::Object(Map::from_iter([(MARK.to_string(), Value::from(text))]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_that_are_only_copied_keep_their_spelling() {
        for text in ["5.20", "-0", "1E5", "1267650600228229401496703205376", "18446744073709551616"] {
            let value = value(text, Line::AsWritten).unwrap();
            assert_eq!(of_number(&value), Some(text));
        }
        assert_eq!(value("5.2", Line::AsWritten), Some(json!(5.2)));
    }

    #[test]
    fn what_json_does_not_have_is_spelled() {
        let beyond = value("1e999", Line::AsWritten).unwrap();
        assert_eq!((of(&beyond), of_number(&beyond)), (Some("1e999"), None));
        let half = value(r#"[{"a": "x\ud83dy"}, "\ud83d\ude00"]"#, Line::AsWritten).unwrap();
        assert_eq!(of(&half[0]["a"]), Some("\\ud83d"));
        assert_eq!(half[1], "\u{1f600}");
        let marked = json::marked(r#"{"a": NaN, "b": [-Infinity]}"#).unwrap();
        let marked = value(&marked, Line::Marked).unwrap();
        assert_eq!((of(&marked["a"]), of(&marked["b"][0])), (Some("NaN"), Some("-Infinity")));
        // A text of the file that looks like a mark.
        assert_eq!(value(r#""\u0000NaN""#, Line::AsWritten), Some(json!("\0NaN")));
        assert_eq!(value("{", Line::AsWritten), None);
    }
}
