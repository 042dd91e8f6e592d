//! Limits on the size and the nesting of a template's values.
//!
//! The engine consumes fuel for strings, but a list stores its items by reference: `{% set s = [s, s] %}` doubles a
//! value for two units of fuel, and after forty repetitions any traversal takes practically forever. Traversal,
//! comparison and destruction also recurse once per level of nesting. Therefore every value is traversed once when it
//! is assigned to a variable or printed; the traversal consumes fuel per item and stops below [`MAX_DEPTH`] levels.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Output, State, Value, escape_formatter};
use std::fmt::{self, Write};

/// Name of the filter that `source.rs` applies to every value assigned to a variable.
pub(super) const BOUNDED: &str = "bounded_";
/// Name of the filter that `source.rs` applies to every value assigned to an attribute of a namespace.
pub(super) const STORED: &str = "stored_";

/// Bytes of text per unit of fuel.
pub(super) const TEXT_BYTES_PER_FUEL: u64 = 64;

/// Deepest nesting of lists and maps.
const MAX_DEPTH: usize = 32;

/// Whether a value may contain a namespace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Namespaces {
    Allowed,
    Refused,
}

/// Adds the two filters, the filter `string` and the output formatter.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_filter(BOUNDED, |state: &State, value: Value| bounded(state, value, Namespaces::Allowed));
    // Namespaces are the only mutable values, so a cycle requires a namespace inside a namespace.
    environment.add_filter(STORED, |state: &State, value: Value| bounded(state, value, Namespaces::Refused));
    environment.add_filter("string", |state: &State, value: &Value| text_of(state, value));
    environment.set_formatter(print);
}

fn bounded(state: &State, value: Value, namespaces: Namespaces) -> Result<Value, Error> {
    // A lazy iterator would be evaluated at every use, and its nesting cannot be inspected.
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

/// Traverses `value`, which lies `depth` levels deep, at one unit of fuel per item.
///
/// # Errors
/// No fuel left; nesting beyond [`MAX_DEPTH`]; a namespace where [`Namespaces::Refused`].
pub(super) fn check(state: &State, value: &Value, namespaces: Namespaces, depth: usize) -> Result<(), Error> {
    let kind = value.kind();
    if !matches!(kind, ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) {
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(refuse(format!("more than {MAX_DEPTH} lists or maps inside one another")));
    }
    if namespaces == Namespaces::Refused && is_namespace(value) {
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

/// The output formatter: lists and maps are checked before they are printed, floats are printed as in Python.
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

/// The value as a float; `None` for integers and other kinds.
pub(super) fn float_of(value: &Value) -> Option<f64> {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        f64::try_from(value.clone()).ok()
    } else {
        None
    }
}

/// A float as Python's `repr` writes it: the shortest digits that parse to the same number.
pub(super) fn float_text(float: f64) -> String {
    let scientific = format!("{float:e}");
    let parts =
        scientific.split_once('e').and_then(|(digits, power)| Some((digits, power.parse::<i32>().ok()?)));
    match parts {
        // Python switches to the exponent form outside of 1e-4 .. 1e16.
        Some((digits, power @ (..-4 | 16..))) => {
            let sign = if power < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", power.abs())
        }
        Some(_) => format!("{float:?}"),
        None if float.is_nan() => "nan".to_owned(),
        None => float.to_string(),
    }
}

/// Python's `str(value)`.
pub(super) fn text_of(state: &State, value: &Value) -> Result<Value, Error> {
    if value.kind() == ValueKind::String {
        return Ok(value.clone());
    }
    if let Some(float) = float_of(value) {
        return Ok(float_text(float).into());
    }
    check(state, value, Namespaces::Allowed, 0)?;
    let bytes = |fuel: u64| usize::try_from(fuel * TEXT_BYTES_PER_FUEL).unwrap_or(usize::MAX);
    let room = state.fuel_levels().map_or(usize::MAX, |(_, left)| bytes(left));
    let mut text = Limited { text: String::new(), room };
    match write!(text, "{value}") {
        Ok(()) => Ok(Value::from(text.text)),
        Err(_) => Err(Error::from(ErrorKind::OutOfFuel)),
    }
}

/// A string of at most `text.len() + room` bytes; writing more is an error.
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
