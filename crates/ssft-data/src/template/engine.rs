//! The `minijinja` environment, configured as transformers configures jinja2.

use super::bounds::{self, Namespaces};
use super::date::{Date, strftime};
use super::json::tojson;
use super::sort::sort;
use super::{filters, helpers, methods};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

/// Filters of the engine that jinja2 does not have; they are removed, since a template with one fails in transformers.
const NOT_IN_JINJA: [&str; 5] = ["bool", "chain", "lines", "split", "zip"];

/// Deepest nesting of calls, where a macro counts several times; bounded by the stack of a browser thread.
const RECURSION: usize = 150;

/// An environment without templates.
///
/// # Errors
/// None in practice: the settings are constants.
pub(super) fn environment() -> Result<Environment<'static>, Error> {
    let mut environment = Environment::new();
    environment.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    environment.set_unknown_method_callback(methods::call);
    environment.add_function("raise_exception", raise_exception);
    environment.add_function("cycler", helpers::cycler);
    environment.add_function("joiner", helpers::joiner);
    environment.add_filter("tojson", tojson);
    environment.add_filter("trim", trim);
    environment.add_filter("indent", methods::indent);
    environment.add_filter("sum", sum);
    environment.add_filter("default", filters::default);
    environment.add_filter("d", filters::default);
    environment.add_filter("sort", sort);
    environment.add_filter("truncate", filters::truncate);
    environment.add_filter("center", filters::center);
    environment.add_filter("wordcount", filters::wordcount);
    environment.add_test("callable", is_callable);
    environment.add_test("iterable", is_iterable);
    environment.add_test("sequence", is_sequence);
    for name in NOT_IN_JINJA {
        environment.remove_filter(name);
    }
    environment.remove_global("debug");
    environment.set_recursion_limit(RECURSION);
    bounds::install(&mut environment);
    Ok(environment)
}

/// Adds the function `strftime_now`.
pub(super) fn set_date(environment: &mut Environment<'static>, date: Date) {
    environment.add_function("strftime_now", move |format: &str| strftime(date, format));
}

fn raise_exception(message: String) -> Result<String, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

/// The filter `trim`, also for values that are not strings.
fn trim(state: &State<'_, '_>, value: &Value, chars: Option<&str>) -> Result<String, Error> {
    bounds::check(state, value, Namespaces::Allowed, 0)?;
    match value.as_str() {
        Some(text) => Ok(methods::trim(text, chars)),
        None => Ok(methods::trim(&value.to_string(), chars)),
    }
}

/// The filter `sum`, for numbers only: a sum of lists takes quadratic time.
fn sum(
    state: &State<'_, '_>,
    values: Value,
    attribute: Option<&str>,
    start: Option<Value>,
    named: Kwargs,
) -> Result<Value, Error> {
    let first = start.clone().or(named.get::<Option<Value>>("start")?);
    if first.is_some_and(|first| first.kind() != ValueKind::Number) {
        return Err(Error::new(ErrorKind::InvalidOperation, "sum: start must be a number"));
    }
    minijinja::filters::sum(state, values, attribute, start, named)
}

/// Types of the engine's values that can be called.
const CALLABLE: [&str; 4] = ["::BoxedFunction", "::Macro", "::Loop", "::Joiner"];

/// The test `callable`. An undefined value is callable in jinja2, because it has a method that raises its error.
fn is_callable(value: &Value) -> bool {
    let is_function = |name: &str| CALLABLE.iter().any(|known| name.ends_with(known));
    value.is_undefined() || value.as_object().is_some_and(|object| is_function(object.type_name()))
}

fn is_iterable(value: &Value) -> bool {
    !value.is_none() && value.try_iter().is_ok()
}

/// The test `sequence`: values with a length and `[]`. In jinja2 this includes strings and maps; the engine's slices of
/// lists have the kind `Iterable`.
fn is_sequence(value: &Value) -> bool {
    use ValueKind::{Iterable, Map, Seq, String};
    value.is_undefined() || matches!(value.kind(), Seq | Iterable | String | Map)
}
