//! The functions `cycler` and `joiner` of jinja2: values with a state of their own.

use super::arguments::{Arguments, refuse};
use minijinja::value::{Object, ObjectRepr, Rest, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A value that `cycler` or `joiner` may keep. Lists and other helpers are refused: the limits on nesting do not see what is kept.
fn kept(value: Value) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number | ValueKind::Bool | ValueKind::None | ValueKind::Undefined => {
            Ok(value)
        }
        kind => Err(refuse(format!("cycler and joiner take texts and numbers, not a {kind}"))),
    }
}

/// `cycler(a, b, ..)`: its `next()` returns `a`, `b`, .., `a`, ..
pub(super) fn cycler(items: Rest<Value>) -> Result<Value, Error> {
    let items: Vec<Value> = items.0.into_iter().map(kept).collect::<Result<_, _>>()?;
    match items.is_empty() {
        true => Err(refuse("cycler: at least one item has to be provided")),
        false => Ok(Value::from_object(Cycler { items, at: AtomicUsize::new(0) })),
    }
}

#[derive(Debug)]
struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    fn current(&self) -> Value {
        self.items[self.at.load(Ordering::Relaxed)].clone()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str() == Some("current")).then(|| self.current())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        let () = from_args(args)?;
        let current = self.current();
        let at = self.at.load(Ordering::Relaxed);
        match method {
            "next" => self.at.store((at + 1) % self.items.len(), Ordering::Relaxed),
            "reset" => self.at.store(0, Ordering::Relaxed),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(if method == "next" { current } else { Value::from(()) })
    }
}

/// `joiner(sep=", ")`: a function that returns an empty text when it is called first, then the separator.
pub(super) fn joiner(arguments: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let mut arguments = Arguments::of_function("joiner", arguments)?;
    let separator = kept(arguments.next("sep")?.unwrap_or_else(|| Value::from(", ")))?;
    arguments.end()?;
    Ok(minijinja_contrib::globals::joiner(Some(separator)))
}
