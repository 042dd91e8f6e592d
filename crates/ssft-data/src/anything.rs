//! Whether a JSON value holds anything.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use std::fmt;

/// Whether a JSON value holds anything: not null, not a text of white space, and no list or object of such values. Readers use
/// it to tell what they leave out without naming what is empty.
///
/// Deserialized from a value, without a copy of the value.
///
/// ```
/// use ssft_data::anything::Anything;
///
/// let held = |json| serde_json::from_str::<Anything>(json).map(|Anything(held)| held);
/// assert!(!held(r#"[{"name": null, "arguments": " "}]"#)? && held("0")?);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anything(pub bool);

impl Anything {
    /// Whether `value` holds anything.
    pub fn is_in(value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(_) | Value::Number(_) => true,
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(values) => values.iter().any(Self::is_in),
            Value::Object(values) => values.values().any(Self::is_in),
        }
    }
}

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Search)
    }
}

/// Visitor of a value.
struct Search;

impl<'de> Visitor<'de> for Search {
    type Value = Anything;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Anything, E> {
        Ok(Anything(false))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Anything, E> {
        Ok(Anything(true))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Anything, E> {
        Ok(Anything(true))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Anything, E> {
        Ok(Anything(true))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Anything, E> {
        Ok(Anything(true))
    }

    fn visit_str<E>(self, text: &str) -> Result<Anything, E> {
        Ok(Anything(!text.trim().is_empty()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Anything, A::Error> {
        while let Some(Anything(held)) = values.next_element()? {
            if held {
                while values.next_element::<IgnoredAny>()?.is_some() {}
                return Ok(Anything(true));
            }
        }
        Ok(Anything(false))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Anything, A::Error> {
        while let Some((_, Anything(held))) = entries.next_entry::<IgnoredAny, Anything>()? {
            if held {
                while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Anything(true));
            }
        }
        Ok(Anything(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_hand() {
        let empty = ["null", r#""""#, r#"" \n""#, "[]", "{}", r#"[null, "", {"a": [], "b": {"c": null}}]"#];
        let full =
            ["false", "0", "-1", "0.5", r#""a""#, "[[0], {}]", r#"{"a": null, "b": [false, null], "c": 1}"#];
        for (json, expected) in
            empty.map(|json| (json, false)).into_iter().chain(full.map(|json| (json, true)))
        {
            assert_eq!(serde_json::from_str::<Anything>(json).unwrap(), Anything(expected), "{json}");
            assert_eq!(Anything::is_in(&serde_json::from_str(json).unwrap()), expected, "{json}");
        }
    }
}
