//! Python's methods of strings and lists that search: with a range to search in, and those that fail if nothing is found.

use super::arguments::{count, integer, refuse};
use super::bounds::TEXT_BYTES_PER_FUEL;
use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Calls `index` or `rindex` of `text`, or `find`, `rfind`, `count`, `startswith` or `endswith` with a range; `None` for any other
/// method. Places are counted in characters.
pub(super) fn in_text(
    state: &mut State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Option<Result<Value, Error>> {
    match method {
        // Without a range the engine's own.
        "find" | "rfind" | "count" | "startswith" | "endswith" if args.len() > 1 => {
            Some(searched(state, text, method, args))
        }
        "index" => Some(found(searched(state, text, "find", args))),
        "rindex" => Some(found(searched(state, text, "rfind", args))),
        _ => None,
    }
}

fn searched(state: &mut State<'_, '_>, text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    state.consume_fuel(text.len() as u64 / TEXT_BYTES_PER_FUEL)?;
    let (what, range) = args.split_at(args.len().min(1));
    let (start, end) = range_of(range, text.chars().count())?;
    if start > end {
        // Nothing is in such a range, not even the empty text. The call refuses what is no text.
        unknown_method_callback(state, &Value::from(""), method, what)?;
        return Ok(match method {
            "count" => Value::from(0),
            "find" | "rfind" => Value::from(-1),
            _ => Value::from(false),
        });
    }
    let part: String = text.chars().skip(start).take(end - start).collect();
    let result = unknown_method_callback(state, &Value::from(part), method, what)?;
    match (method, i64::try_from(result.clone())) {
        ("find" | "rfind", Ok(place @ 0..)) => Ok(Value::from(start as i64 + place)),
        _ => Ok(result),
    }
}

fn found(place: Result<Value, Error>) -> Result<Value, Error> {
    match place {
        Ok(place) if place == Value::from(-1) => Err(refuse("substring not found")),
        place => place,
    }
}

/// The method `index` of a list.
pub(super) fn in_list(state: &State<'_, '_>, list: &Value, args: &[Value]) -> Result<Value, Error> {
    let Some((what, range)) = args.split_first() else { return Err(refuse("index: give an item")) };
    if range.iter().any(Value::is_none) {
        return Err(refuse("index: a place must be an integer"));
    }
    let items: Vec<Value> = list.try_iter()?.checked().collect::<Result<_, _>>()?;
    state.consume_fuel(items.len() as u64)?;
    let (start, end) = range_of(range, items.len())?;
    let place = (start..end).find(|&place| items[place] == *what);
    place.map(Value::from).ok_or_else(|| refuse("item is not in the list"))
}

/// Start and end of a range of `length` characters or items, as in a slice. The start may be behind the end.
fn range_of(range: &[Value], length: usize) -> Result<(usize, usize), Error> {
    if range.len() > 2 {
        return Err(refuse("too many arguments"));
    }
    let place = |at: usize, default: usize| -> Result<usize, Error> {
        let Some(value) = range.get(at).filter(|value| value.kind() != ValueKind::None) else {
            return Ok(default);
        };
        let place = integer("a place", value)?;
        let from_end = if place < 0 { place.saturating_add(length as i64) } else { place };
        Ok(count(from_end))
    };
    Ok((place(0, 0)?, place(1, length)?.min(length)))
}
