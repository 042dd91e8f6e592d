//! Maps from k to a figure, read from JSON.

use serde::de::{Deserialize, Deserializer, Error};
use std::collections::BTreeMap;

/// Deserializes a map with integer keys; for `deserialize_with`. JSON keys are strings, which `serde_json` parses as integers,
/// but not within a flattened struct.
pub(super) fn deserialize<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<BTreeMap<usize, T>, D::Error> {
    let entries = BTreeMap::<String, T>::deserialize(deserializer)?;
    let entry = |(key, value): (String, T)| {
        let key = key.parse().map_err(|_| D::Error::custom(format_args!("{key:?} is not an integer")))?;
        Ok((key, value))
    };
    entries.into_iter().map(entry).collect()
}
