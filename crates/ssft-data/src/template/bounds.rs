//! What keeps a template's values small.
//!
//! The engine charges fuel for strings, but a list holds its items by reference: `[s, s]` doubles a value for the
//! price of two, and forty such steps later nothing that walks it comes back. Values also nest, and whatever walks,
//! compares or drops one calls itself for each level. So every value that a variable takes is walked once, for fuel
//! and down to [`MAX_DEPTH`] levels; and so is every list or map that is printed.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, escape_formatter};
use std::fmt::{self, Write};

/// The filter over every value that a variable takes.
pub(super) const BOUNDED: &str = "bounded_";
/// The filter over every value that an attribute of a namespace takes.
pub(super) const STORED: &str = "stored_";

/// Most lists and maps inside one another.
const MAX_DEPTH: usize = 32;

/// Adds the two filters and the printing.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter(BOUNDED, |state: &State, value: Value| bounded(state, value, true));
    // A namespace is the only value that changes, so a cycle needs one inside a namespace.
    environment.add_filter(STORED, |state: &State, value: Value| bounded(state, value, false));
    environment.add_filter("string", |state: &State, value: &Value| text_of(state, value));
    environment.set_formatter(print);
}

fn bounded(state: &State, value: Value, namespaces: bool) -> Result<Value, Error> {
    // A lazy value would be walked again at every use, and its layers cannot be seen.
    let value = match value.kind() {
        ValueKind::Iterable => collect(state, &value)?,
        _ => value,
    };
    check(state, &value, namespaces, 0)?;
    Ok(value)
}

fn collect(state: &State, value: &Value) -> Result<Value, Error> {
    let mut items = Vec::new();
    for item in value.try_iter()?.checked() {
        state.consume_fuel(1)?;
        items.push(item?);
    }
    Ok(Value::from(items))
}

/// Walks `value`, one unit of fuel an item.
pub(super) fn check(state: &State, value: &Value, namespaces: bool, depth: usize) -> Result<(), Error> {
    let kind = value.kind();
    if !matches!(kind, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(refuse(format!("more than {MAX_DEPTH} lists or maps inside one another")));
    }
    if !namespaces && is_namespace(value) {
        return Err(refuse("a namespace cannot hold a namespace".to_owned()));
    }
    for item in value.try_iter()?.checked() {
        state.consume_fuel(1)?;
        let item = item?;
        check(state, &item, namespaces, depth + 1)?;
        if kind == ValueKind::Map {
            check(state, &value.get_item(&item)?, namespaces, depth + 1)?;
        }
    }
    Ok(())
}

fn is_namespace(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().ends_with("::Namespace"))
}

fn refuse(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// Prints a list or map only once it is known to have an end.
fn print(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
            let text = text_of(state, value)?;
            escape_formatter(output, state, &text)
        }
        _ if float_of(value).is_some() => escape_formatter(output, state, &text_of(state, value)?),
        _ => escape_formatter(output, state, value),
    }
}

/// The number, if it is no integer.
pub(super) fn float_of(value: &Value) -> Option<f64> {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        f64::try_from(value.clone()).ok()
    } else {
        None
    }
}

/// A float as Python's `repr` writes it: the shortest digits that read back as the same number.
pub(super) fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let parts =
        scientific.split_once('e').and_then(|(digits, power)| Some((digits, power.parse::<i32>().ok()?)));
    match parts {
        Some((digits, power @ (..-4 | 16..))) => {
            let sign = if power < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", power.abs())
        }
        Some(_) => format!("{float:?}"),
        None if float.is_nan() => "nan".to_owned(),
        None => float.to_string(),
    }
}

/// `str(value)`.
fn text_of(state: &State, value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::String {
        return Ok(value.clone());
    }
    if let Some(float) = float_of(value) {
        return Ok(float_text(float).into());
    }
    check(state, value, true, 0)?;
    let room =
        state.fuel_levels().map_or(usize::MAX, |(_, left)| usize::try_from(left * 64).unwrap_or(usize::MAX));
    let mut text = Limited { text: String::new(), room };
    match write!(text, "{value}") {
        Ok(()) => Ok(Value::from(text.text)),
        Err(_) => Err(Error::from(ErrorKind::OutOfFuel)),
    }
}

/// A string that takes no more than there is room for.
struct Limited {
    text: String,
    room: usize,
}

impl fmt::Write for Limited {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        self.room = self.room.checked_sub(piece.len()).ok_or(fmt::Error)?;
        self.text.push_str(piece);
        Ok(())
    }
}
