//! Typed access to the keys of a JSON object of `config.json`. A key that is null counts as absent.

use crate::error::CheckpointError;
use serde_json::{Map, Value};
use ssft_data::json::spelling;

/// A JSON object whose values are read by key.
pub(super) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of `map`.
    pub(super) fn of(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    /// True if the object has no key.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if the key is there with the value null.
    pub(super) fn is_null(&self, key: &str) -> bool {
        self.0.get(key).is_some_and(Value::is_null)
    }

    /// The value of a key, unless it is null.
    pub(super) fn given(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A positive integer of 32 bits.
    pub(super) fn size(&self, key: &str) -> Result<usize, CheckpointError> {
        self.optional_size(key)?.ok_or_else(|| missing(key))
    }

    /// A positive integer of 32 bits. No size of a model is larger, and products of larger sizes would overflow.
    pub(super) fn optional_size(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        let size = value.as_u64().filter(|&size| size > 0 && size <= u64::from(u32::MAX));
        match size {
            Some(size) => Ok(Some(size as usize)),
            None => Err(wrong(key, value, "not a positive integer of 32 bits")),
        }
    }

    /// A string.
    pub(super) fn text(&self, key: &str) -> Result<&'a str, CheckpointError> {
        self.optional_text(key)?.ok_or_else(|| missing(key))
    }

    /// A string.
    pub(super) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        let text = value.as_str().filter(|_| spelling(value).is_none());
        text.map(Some).ok_or_else(|| wrong(key, value, "not a string"))
    }

    /// A boolean.
    pub(super) fn optional_flag(&self, key: &str) -> Result<Option<bool>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| wrong(key, value, "not true or false"))
    }

    /// A boolean; false if it is absent.
    pub(super) fn is_set(&self, key: &str) -> Result<bool, CheckpointError> {
        Ok(self.optional_flag(key)?.unwrap_or_default())
    }

    /// A finite number.
    pub(super) fn optional_number(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| wrong(key, value, "not a number"))
    }

    /// A number above 0.
    pub(super) fn positive(&self, key: &str) -> Result<f64, CheckpointError> {
        match self.optional_number(key)? {
            Some(number) if number > 0.0 => Ok(number),
            Some(number) => Err(CheckpointError::config(format!("\"{key}\" is {number}, not above 0"))),
            None => Err(missing(key)),
        }
    }

    /// A number above 0; `default` if it is absent.
    pub(super) fn positive_or(&self, key: &str, default: f64) -> Result<f64, CheckpointError> {
        if self.given(key).is_some() { self.positive(key) } else { Ok(default) }
    }

    /// An object.
    pub(super) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        let no_object = || CheckpointError::config(format!("\"{key}\" is no JSON object"));
        value.as_object().map(|map| Some(Fields(map))).ok_or_else(no_object)
    }
}

fn missing(key: &str) -> CheckpointError {
    CheckpointError::config(format!("\"{key}\" is missing"))
}

fn wrong(key: &str, value: &Value, expected: &str) -> CheckpointError {
    match spelling(value) {
        Some(shown) => CheckpointError::config(format!(
            "\"{key}\" is {shown}, {expected}; write the value that is meant"
        )),
        None => CheckpointError::config(format!("\"{key}\" is {value}, {expected}")),
    }
}
