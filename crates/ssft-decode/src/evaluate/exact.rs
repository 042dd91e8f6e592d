//! Floats of a JSON text, read bit for bit.
//!
//! `serde_json` without its feature `float_roundtrip` can return a float next to the one written. Here floats are put in
//! quotes before parsing ([`quote_floats`]), and the standard library parses them ([`Exact`]).

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// `json` with its float literals (numbers with `.`, `e` or `E`) in quotes.
pub(super) fn quote_floats(json: &str) -> String {
    let mut quoted = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(start) = rest.find(|c: char| matches!(c, '"' | '-') || c.is_ascii_digit()) {
        let (before, token) = rest.split_at(start);
        let is_string = token.starts_with('"');
        let length = if is_string { string_length(token) } else { number_length(token) };
        let (token, behind) = token.split_at(length);
        quoted.push_str(before);
        match !is_string && token.contains(['.', 'e', 'E']) {
            true => quoted.extend(["\"", token, "\""]),
            false => quoted.push_str(token),
        }
        rest = behind;
    }
    quoted.push_str(rest);
    quoted
}

/// Length in bytes of the string literal at the start of `text`, quotes included.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    let closing = text.bytes().enumerate().skip(1).find(|&(_, byte)| {
        let closes = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |(at, _)| at + 1)
}

/// Length in bytes of the number at the start of `text`.
fn number_length(text: &str) -> usize {
    text.bytes().take_while(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')).count()
}

/// A value whose floats are JSON numbers or quoted numbers.
pub struct Exact<T>(T);

impl<'de> Deserialize<'de> for Exact<f64> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Float).map(Self)
    }
}

impl<'de> Deserialize<'de> for Exact<[f64; 2]> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pair = <[Exact<f64>; 2]>::deserialize(deserializer)?;
        Ok(Self(pair.map(|float| float.0)))
    }
}

impl<'de> Deserialize<'de> for Exact<Vec<Vec<f64>>> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<Vec<Exact<f64>>>::deserialize(deserializer)?;
        Ok(Self(rows.into_iter().map(|row| row.into_iter().map(|float| float.0).collect()).collect()))
    }
}

struct Float;

impl Visitor<'_> for Float {
    type Value = f64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a number")
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        Ok(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        text.parse().map_err(|_| E::custom(format_args!("{text:?} is not a number")))
    }
}

/// Deserializes a value with floats; for `deserialize_with`.
pub(super) fn value<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<T, D::Error>
where
    Exact<T>: Deserialize<'de>,
{
    Exact::<T>::deserialize(deserializer).map(|exact| exact.0)
}

/// Deserializes an optional value with floats; for `deserialize_with`.
pub(super) fn option<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    Exact<T>: Deserialize<'de>,
{
    Option::<Exact<T>>::deserialize(deserializer).map(|exact| exact.map(|exact| exact.0))
}

/// Deserializes a map from integers to values with floats; for `deserialize_with`.
///
/// JSON keys are strings. `serde_json` parses integer keys, but not within a flattened struct, so they are parsed here.
pub(super) fn by_k<'de, D: Deserializer<'de>, T>(deserializer: D) -> Result<BTreeMap<usize, T>, D::Error>
where
    Exact<T>: Deserialize<'de>,
{
    let entries = BTreeMap::<String, Exact<T>>::deserialize(deserializer)?;
    let entry = |(key, value): (String, Exact<T>)| {
        let key = key.parse().map_err(|_| D::Error::custom(format_args!("{key:?} is not an integer")))?;
        Ok((key, value.0))
    };
    entries.into_iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_floats_are_quoted() {
        let cases = [
            (r#"{"a":1,"b":-2.5,"c":[1e-7,0.1]}"#, r#"{"a":1,"b":"-2.5","c":["1e-7","0.1"]}"#),
            (r#"{"1.5":"2.5 \"3.5\" \\","é":4.5}"#, r#"{"1.5":"2.5 \"3.5\" \\","é":"4.5"}"#),
            ("[true,null,-3]", "[true,null,-3]"),
            ("\"open 1.5", "\"open 1.5"),
        ];
        for (json, expected) in cases {
            assert_eq!(quote_floats(json), expected);
        }
    }

    #[test]
    fn floats_are_read_bit_for_bit() {
        for float in [1.0 / 3.0, 0.1 + 0.2, 0.958_333_333_333_333_5, -5e-324, f64::MAX, 1e21, 4.0] {
            let json = serde_json::to_string(&[float, -float]).expect("finite");
            let Exact([read, negated]): Exact<[f64; 2]> =
                serde_json::from_str(&quote_floats(&json)).expect("floats");
            assert_eq!((read.to_bits(), negated.to_bits()), (float.to_bits(), (-float).to_bits()), "{json}");
        }
        assert!(serde_json::from_str::<Exact<f64>>("\"x\"").is_err());
    }
}
