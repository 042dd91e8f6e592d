//! The filter `sort` of jinja2. The engine's own takes its arguments by name only, gives values of different kinds an order, and
//! ignores the case of ASCII only.

use super::arguments::{Arguments, integer, refuse};
use super::bounds::TEXT_BYTES_PER_FUEL;
use minijinja::value::{Rest, ValueKind, ValueOrKwargs};
use minijinja::{Error, State, Value};
use std::cmp::Ordering;

/// `sort(reverse=false, case_sensitive=false, attribute=none)`.
pub(super) fn sort(state: &State<'_, '_>, arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let (values, mut arguments) = Arguments::of("sort", arguments)?;
    let reverse = arguments.next("reverse")?.map_or(Ok(0), |value| integer("sort: reverse", &value))? != 0;
    let keeps_case = arguments.is_set("case_sensitive")?;
    let attribute = arguments.next("attribute")?.unwrap_or_default();
    if values.is_none() {
        return Err(arguments.refused("none has no items"));
    }
    arguments.end()?;
    let paths = paths(&attribute);
    let key = |item: &Value| -> Result<Vec<Value>, Error> {
        paths.iter().map(|path| key(state, item, path, keeps_case)).collect()
    };
    let mut items = Vec::new();
    for item in values.try_iter()?.checked() {
        state.consume_fuel(1)?;
        let item = item?;
        items.push((key(&item)?, item));
    }
    // Equal items keep their order, also in reverse.
    let ordered = |a: &(Vec<Value>, Value), b: &(Vec<Value>, Value)| match reverse {
        true => compare_lists(state, &b.0, &a.0),
        false => compare_lists(state, &a.0, &b.0),
    };
    Ok(sorted(items, &ordered)?.into_iter().map(|(_, item)| item).collect())
}

/// The attributes to sort by, each a path: of `a.0,b` `[[a, 0], [b]]`; one empty path for none.
fn paths(attribute: &Value) -> Vec<Vec<Value>> {
    let part = |part: &str| match part.parse::<u32>() {
        Ok(index) if part.bytes().all(|byte| byte.is_ascii_digit()) => Value::from(index),
        _ => Value::from(part),
    };
    match attribute.as_str() {
        Some(text) => text.split(',').map(|path| path.split('.').map(part).collect()).collect(),
        None if attribute.is_none() || attribute.is_undefined() => vec![Vec::new()],
        None => vec![vec![attribute.clone()]],
    }
}

/// What `path` leads to in `item`; a text in small letters unless its case matters.
fn key(state: &State<'_, '_>, item: &Value, path: &[Value], keeps_case: bool) -> Result<Value, Error> {
    let mut key = item.clone();
    for part in path {
        if key.is_undefined() {
            return Err(refuse("sort: an item has no such attribute"));
        }
        key = key.get_item(part).unwrap_or_default();
    }
    match key.as_str().filter(|_| !keeps_case) {
        Some(text) => {
            state.consume_fuel(text.len() as u64 / TEXT_BYTES_PER_FUEL)?;
            Ok(Value::from(text.to_lowercase()))
        }
        None => Ok(key),
    }
}

/// Merge sort, which stops at an error.
fn sorted<T>(
    mut items: Vec<T>,
    compare: &impl Fn(&T, &T) -> Result<Ordering, Error>,
) -> Result<Vec<T>, Error> {
    if items.len() < 2 {
        return Ok(items);
    }
    let right = items.split_off(items.len() / 2);
    let mut left = sorted(items, compare)?.into_iter().peekable();
    let mut right = sorted(right, compare)?.into_iter().peekable();
    let mut merged = Vec::with_capacity(left.len() + right.len());
    while let (Some(one), Some(other)) = (left.peek(), right.peek()) {
        let is_behind = compare(one, other)? == Ordering::Greater;
        merged.extend(if is_behind { right.next() } else { left.next() });
    }
    merged.extend(left.chain(right));
    Ok(merged)
}

/// Python's order of two lists: that of the first items that differ, else of the lengths.
fn compare_lists(state: &State<'_, '_>, a: &[Value], b: &[Value]) -> Result<Ordering, Error> {
    for (a, b) in a.iter().zip(b) {
        state.consume_fuel(1)?;
        match compare(state, a, b)? {
            Ordering::Equal => (),
            ordering => return Ok(ordering),
        }
    }
    Ok(a.len().cmp(&b.len()))
}

/// Python's order of two values.
///
/// # Errors
/// For values that differ and have no order in Python.
fn compare(state: &State<'_, '_>, a: &Value, b: &Value) -> Result<Ordering, Error> {
    use ValueKind::{Bool, Iterable, Number, Seq};
    if let (Some(a), Some(b)) = (a.as_str(), b.as_str()) {
        state.consume_fuel(a.len().min(b.len()) as u64 / TEXT_BYTES_PER_FUEL)?;
        return Ok(a.cmp(b));
    }
    match (a.kind(), b.kind()) {
        (Bool | Number, Bool | Number) => Ok(number(a).cmp(&number(b))),
        (Seq | Iterable, Seq | Iterable) => {
            let items = |list: &Value| list.try_iter()?.checked().collect::<Result<Vec<_>, _>>();
            compare_lists(state, &items(a)?, &items(b)?)
        }
        (ValueKind::None, ValueKind::None) | (ValueKind::Undefined, ValueKind::Undefined) => {
            Ok(Ordering::Equal)
        }
        (a, b) => Err(refuse(format!("sort: {a} and {b} have no order"))),
    }
}

/// A number; of a boolean 0 or 1, as in Python.
fn number(value: &Value) -> Value {
    if value.kind() == ValueKind::Bool { Value::from(i64::from(value.is_true())) } else { value.clone() }
}
