//! The filter `tojson`: the output of Python's `json.dumps`, with the arguments of transformers.

use super::bounds::{Namespaces, TEXT_BYTES_PER_FUEL, check, float_of, float_text};
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};
use std::fmt::Write;

/// `tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)`; the last two are keyword arguments.
pub(super) fn tojson(
    state: &State<'_, '_>,
    value: &Value,
    ensure_ascii: Option<Value>,
    indent: Option<Value>,
    named: Kwargs,
) -> Result<String, Error> {
    let argument = |place: Option<Value>, name: &str| match place {
        Some(value) => Ok(Some(value)),
        None => named.get::<Option<Value>>(name),
    };
    let given = |value: Option<Value>| value.filter(|value| !value.is_none());
    let ascii = argument(ensure_ascii, "ensure_ascii")?.is_some_and(|value| value.is_true());
    let sorted = argument(None, "sort_keys")?.is_some_and(|value| value.is_true());
    let indent = given(argument(indent, "indent")?).map(|value| indentation(&value)).transpose()?;
    let separators = given(argument(None, "separators")?);
    named.assert_all_used()?;
    let separators = match separators {
        Some(pair) => pair_of(&pair)?,
        None if indent.is_some() => [",".to_owned(), ": ".to_owned()],
        None => [", ".to_owned(), ": ".to_owned()],
    };
    check(state, value, Namespaces::Allowed, 0)?;
    let mut writer = Writer { state, text: String::new(), charged: 0, ascii, sorted, indent, separators };
    writer.value(value, 0)?;
    Ok(writer.text)
}

/// The indentation of one level: a number of spaces, or a text.
fn indentation(value: &Value) -> Result<String, Error> {
    match (value.as_str(), i64::try_from(value.clone())) {
        (Some(text), _) => Ok(text.to_owned()),
        (None, Ok(spaces)) if spaces <= MAX_INDENT => Ok(" ".repeat(usize::try_from(spaces).unwrap_or(0))),
        _ => Err(refuse(format!("tojson: indent must be a text or a number up to {MAX_INDENT}"))),
    }
}

/// Most spaces of one level.
const MAX_INDENT: i64 = 64;

fn pair_of(value: &Value) -> Result<[String; 2], Error> {
    let parts: Vec<String> =
        value.try_iter()?.take(3).filter_map(|part| part.as_str().map(str::to_owned)).collect();
    parts.try_into().map_err(|_| refuse("tojson: separators must be two texts".to_owned()))
}

fn refuse(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// Writer of one JSON text.
struct Writer<'a, 'env, 'vm> {
    state: &'a State<'env, 'vm>,
    text: String,
    /// Length of the text for which fuel was consumed, in bytes.
    charged: usize,
    ascii: bool,
    sorted: bool,
    indent: Option<String>,
    separators: [String; 2],
}

impl Writer<'_, '_, '_> {
    fn value(&mut self, value: &Value, depth: usize) -> Result<(), Error> {
        self.charge()?;
        match value.kind() {
            ValueKind::None => self.text.push_str("null"),
            ValueKind::Bool => self.text.push_str(if value.is_true() { "true" } else { "false" }),
            ValueKind::Number => self.text.push_str(&number(value)),
            ValueKind::String => self.string(value.as_str().unwrap_or_default()),
            // The engine's slices of lists have the kind `Iterable`.
            ValueKind::Seq | ValueKind::Iterable => {
                let items: Vec<Value> = value.try_iter()?.collect();
                self.items('[', &items, ']', depth, |writer, item| writer.value(item, depth + 1))?;
            }
            ValueKind::Map => self.map(value, depth)?,
            kind => return Err(refuse(format!("{kind} is not JSON serializable"))),
        }
        Ok(())
    }

    fn map(&mut self, map: &Value, depth: usize) -> Result<(), Error> {
        let mut keys: Vec<Value> = map.try_iter()?.collect();
        if self.sorted {
            keys.sort();
        }
        self.items('{', &keys, '}', depth, |writer, key| {
            let name = key_text(key)?;
            writer.string(&name);
            let separator = writer.separators[1].clone();
            writer.text.push_str(&separator);
            writer.value(&map.get_item(key)?, depth + 1)
        })
    }

    fn items(
        &mut self,
        open: char,
        items: &[Value],
        close: char,
        depth: usize,
        write: impl Fn(&mut Self, &Value) -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.text.push(open);
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                let separator = self.separators[0].clone();
                self.text.push_str(&separator);
            }
            self.line(depth + 1);
            write(self, item)?;
        }
        if !items.is_empty() {
            self.line(depth);
        }
        self.text.push(close);
        Ok(())
    }

    fn line(&mut self, depth: usize) {
        if let Some(indent) = &self.indent {
            self.text.push('\n');
            self.text.push_str(&indent.repeat(depth));
        }
    }

    fn string(&mut self, text: &str) {
        self.text.push('"');
        for c in text.chars() {
            self.character(c);
        }
        self.text.push('"');
    }

    fn character(&mut self, c: char) {
        match c {
            '"' => self.text.push_str("\\\""),
            '\\' => self.text.push_str("\\\\"),
            '\n' => self.text.push_str("\\n"),
            '\r' => self.text.push_str("\\r"),
            '\t' => self.text.push_str("\\t"),
            '\u{8}' => self.text.push_str("\\b"),
            '\u{c}' => self.text.push_str("\\f"),
            c if c < ' ' || (self.ascii && c > '~') => self.escape(c),
            c => self.text.push(c),
        }
    }

    fn escape(&mut self, c: char) {
        for unit in c.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(self.text, "\\u{unit:04x}");
        }
    }

    fn charge(&mut self) -> Result<(), Error> {
        let added = self.text.len() - self.charged;
        self.charged = self.text.len();
        self.state.consume_fuel(added as u64 / TEXT_BYTES_PER_FUEL)
    }
}

/// A number as Python's `json` writes it.
fn number(value: &Value) -> String {
    match float_of(value) {
        Some(float) if float.is_nan() => "NaN".to_owned(),
        Some(float) if float.is_infinite() => if float > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
        Some(float) => float_text(float),
        None => value.to_string(),
    }
}

/// The text of a map's key; JSON keys are strings.
fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::String => Ok(key.as_str().unwrap_or_default().to_owned()),
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::Number => Ok(number(key)),
        kind => Err(refuse(format!("a key of kind {kind} is not JSON serializable"))),
    }
}
