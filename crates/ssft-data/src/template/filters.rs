//! Filters of jinja2 that the engine lacks, and `default`, because the engine's own takes no arguments by name.

use super::arguments::{Arguments, integer, refuse};
use super::bounds::{TEXT_BYTES_PER_FUEL, text_of};
use super::padding::centered;
use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Error, State, Value};
use tokenizers::utils::SysRegex;

/// `default(default_value="", boolean=false)`.
pub(super) fn default(arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let (value, mut arguments) = Arguments::of("default", arguments)?;
    let default = arguments.next("default_value")?.unwrap_or_else(|| Value::from(""));
    let is_false = arguments.is_set("boolean")? && !value.is_true();
    arguments.end()?;
    Ok(if value.is_undefined() || is_false { default } else { value })
}

/// Defaults of `truncate`, in characters.
const TRUNCATED: i64 = 255;
const LEEWAY: i64 = 5;

/// `truncate(length=255, killwords=false, end="...", leeway=5)`.
pub(super) fn truncate(state: &State<'_, '_>, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let (value, mut arguments) = Arguments::of("truncate", arguments)?;
    let count = |value: Option<Value>, default: i64| {
        value.map_or(Ok(default), |value| integer("truncate: a number of characters", &value))
    };
    let length = count(arguments.next("length")?, TRUNCATED)?;
    let cuts_words = arguments.is_set("killwords")?;
    let end = arguments.next("end")?.unwrap_or_else(|| Value::from("..."));
    let leeway = count(arguments.next("leeway")?.filter(|leeway| !leeway.is_none()), LEEWAY)?;
    let refused = |reason| Err(arguments.refused(reason));
    let text = if value.is_undefined() { Some("") } else { value.as_str() };
    let (Some(text), Some(end)) = (text, end.as_str()) else { return refused("not a text") };
    let Some(kept) = usize::try_from(length).ok().and_then(|length| length.checked_sub(end.chars().count()))
    else {
        return refused("the end is longer than the length");
    };
    if leeway < 0 {
        return refused("the leeway is negative");
    }
    arguments.end()?;
    state.consume_fuel(text.len() as u64 / TEXT_BYTES_PER_FUEL)?;
    if text.chars().count() as i64 <= length.saturating_add(leeway) {
        return Ok(value.clone());
    }
    let cut = text.char_indices().nth(kept).map_or(text, |(at, _)| &text[..at]);
    let whole_words = cut.rsplit_once(' ').map_or(cut, |(words, _)| words);
    Ok(Value::from(format!("{}{end}", if cuts_words { cut } else { whole_words })))
}

/// Width of `center` in characters, if it is not given.
const CENTERED: i64 = 80;

/// `center(width=80)`.
pub(super) fn center(state: &State<'_, '_>, arguments: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let (value, mut arguments) = Arguments::of("center", arguments)?;
    let width =
        arguments.next("width")?.map_or(Ok(CENTERED), |width| integer("center: the width", &width))?;
    arguments.end()?;
    centered(state, text_of(state, &value)?.as_str().unwrap_or_default(), width)
}

/// Python's `\w+`: letters, numbers of any script and `_`.
const WORD: &str = r"[\p{L}\p{N}_]+";

/// `wordcount`.
pub(super) fn wordcount(state: &State<'_, '_>, value: &Value) -> Result<usize, Error> {
    let text = text_of(state, value)?;
    let text = text.as_str().unwrap_or_default();
    state.consume_fuel(text.len() as u64 / TEXT_BYTES_PER_FUEL)?;
    let word = SysRegex::new(WORD).map_err(|error| refuse(error.to_string()))?;
    Ok(word.find_iter(text).count())
}
