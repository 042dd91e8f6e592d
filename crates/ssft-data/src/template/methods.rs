//! Python's methods of strings, lists and maps.
//!
//! `minijinja-contrib` implements most of them. This file adds the missing ones, corrects differences from Python, and
//! replaces those that build large strings without consuming fuel.

use super::arguments::{Arguments, count, integer, refuse};
use super::bounds::TEXT_BYTES_PER_FUEL;
use super::{padding, places};
use minijinja::value::{Kwargs, Rest, Tuple, ValueKind, ValueOrKwargs, from_args};
use minijinja::{Error, State, Value};
use minijinja_contrib::pycompat::unknown_method_callback;
use std::collections::BTreeSet;

/// Calls the method called `method` of `value`.
pub(super) fn call(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    let text = value.as_str().filter(|_| value.kind() == ValueKind::String);
    let result = match (text, value.kind(), method) {
        (Some(text), ..) => string_method(state, text, method, args),
        (None, ValueKind::Seq | ValueKind::Iterable, "index") => Some(places::in_list(state, value, args)),
        // No method changes a value, so a copy is the value.
        (None, ValueKind::Seq | ValueKind::Map, "copy") => Some(from_args(args).map(|()| value.clone())),
        _ => None,
    };
    result.unwrap_or_else(|| unknown_method_callback(state, value, method, args))
}

fn string_method(
    state: &mut State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Option<Result<Value, Error>> {
    Some(match method {
        "strip" => stripped(text, args, Side::Both),
        "lstrip" => stripped(text, args, Side::Left),
        "rstrip" => stripped(text, args, Side::Right),
        "removeprefix" => {
            from_args(args).map(|(prefix,): (&str,)| text.strip_prefix(prefix).unwrap_or(text).into())
        }
        "removesuffix" => {
            from_args(args).map(|(suffix,): (&str,)| text.strip_suffix(suffix).unwrap_or(text).into())
        }
        "split" => split(text, args, Scan::Forward),
        "rsplit" => split(text, args, Scan::Backward),
        "partition" => partition(text, args, Scan::Forward),
        "rpartition" => partition(text, args, Scan::Backward),
        "splitlines" => split_lines(text, args),
        "isspace" => from_args(args).map(|()| (!text.is_empty() && text.chars().all(is_space)).into()),
        "join" => join(state, text, args),
        "replace" => replace(state, text, args),
        "format" if has_width(text) => Err(refuse("format: a width of more than three digits")),
        _ => {
            let padded = padding::method(state, text, method, args);
            return padded
                .map(|padded| padded.map(Value::from))
                .or_else(|| places::in_text(state, text, method, args));
        }
    })
}

/// Most digits of a width in a format string.
const WIDTH_DIGITS: usize = 3;

/// Whether `c` is white space in Python: Unicode's, and the ASCII separators U+001C to U+001F.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// The end of a text from which it is searched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scan {
    Forward,
    Backward,
}

/// Whether a line keeps its line end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LineEnds {
    Kept,
    Dropped,
}

/// The end of a text that is stripped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
    Both,
}

fn stripped(text: &str, args: &[Value], side: Side) -> Result<Value, Error> {
    let (chars,): (Option<&str>,) = from_args(args)?;
    Ok(strip(text, chars, side).into())
}

fn strip<'a>(text: &'a str, chars: Option<&str>, side: Side) -> &'a str {
    let chars: Option<BTreeSet<char>> = chars.map(|chars| chars.chars().collect());
    let drop = &|c: char| chars.as_ref().map_or_else(|| is_space(c), |chars| chars.contains(&c));
    let text = if side == Side::Right { text } else { text.trim_start_matches(drop) };
    if side == Side::Left { text } else { text.trim_end_matches(drop) }
}

/// The filter `trim`.
pub(super) fn trim(text: &str, chars: Option<&str>) -> String {
    strip(text, chars, Side::Both).to_owned()
}

/// `split` and `rsplit`.
fn split(text: &str, args: &[Value], scan: Scan) -> Result<Value, Error> {
    let (separator, limit, named): (Option<&str>, Option<i64>, Kwargs) = from_args(args)?;
    let separator = separator.or(named.get("sep")?);
    let limit = limit.or(named.get("maxsplit")?);
    named.assert_all_used()?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let parts: Vec<&str> = match separator {
        Some("") => return Err(refuse("empty separator")),
        Some(separator) if scan == Scan::Backward => {
            let mut parts: Vec<&str> = text.rsplitn(limit.saturating_add(1), separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(limit.saturating_add(1), separator).collect(),
        None => words(text, limit, scan),
    };
    Ok(parts.into_iter().map(Value::from).collect())
}

/// The words between white space, after at most `limit` splits.
fn words(text: &str, limit: usize, scan: Scan) -> Vec<&str> {
    let right = scan == Scan::Backward;
    let side = if right { Side::Right } else { Side::Left };
    let mut rest = strip(text, None, side);
    let mut words = Vec::new();
    while !rest.is_empty() {
        let cut = if right { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(cut) = cut.filter(|_| words.len() < limit) else {
            words.push(rest);
            break;
        };
        let behind = cut + rest[cut..].chars().next().map_or(0, char::len_utf8);
        let (word, others) =
            if right { (&rest[behind..], &rest[..cut]) } else { (&rest[..cut], &rest[behind..]) };
        words.push(word);
        rest = strip(others, None, side);
    }
    if right {
        words.reverse();
    }
    words
}

/// `partition` and `rpartition`.
fn partition(text: &str, args: &[Value], scan: Scan) -> Result<Value, Error> {
    let (separator,): (&str,) = from_args(args)?;
    if separator.is_empty() {
        return Err(refuse("empty separator"));
    }
    let found = match scan {
        Scan::Forward => text.split_once(separator),
        Scan::Backward => text.rsplit_once(separator),
    };
    let parts = match (found, scan) {
        (Some((before, after)), _) => [before, separator, after],
        (None, Scan::Forward) => [text, "", ""],
        (None, Scan::Backward) => ["", "", text],
    };
    Ok(Tuple::from(parts.map(Value::from)).into())
}

fn split_lines(text: &str, args: &[Value]) -> Result<Value, Error> {
    let (keep, named): (Option<bool>, Kwargs) = from_args(args)?;
    let keep = keep.or(named.get("keepends")?).unwrap_or(false);
    named.assert_all_used()?;
    let ends = if keep { LineEnds::Kept } else { LineEnds::Dropped };
    Ok(lines(text, ends).into_iter().map(Value::from).collect())
}

/// Whether `c` ends a line in Python.
fn is_line_end(c: char) -> bool {
    matches!(c, '\n'..='\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Python's `str.splitlines`.
fn lines(text: &str, ends: LineEnds) -> Vec<&str> {
    let mut rest = text;
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let line = rest.find(is_line_end).unwrap_or(rest.len());
        let end = match rest[line..].chars().next() {
            Some('\r') if rest[line + 1..].starts_with('\n') => line + 2,
            end => line + end.map_or(0, char::len_utf8),
        };
        lines.push(&rest[..if ends == LineEnds::Kept { end } else { line }]);
        rest = &rest[end..];
    }
    lines
}

/// Default width of the filter `indent`, in spaces.
const INDENT_WIDTH: i64 = 4;

/// The arguments of the filter `indent`.
struct Indent {
    text: String,
    /// The indentation is `unit` repeated `count` times.
    unit: String,
    count: usize,
    /// Whether the first line is indented.
    first: bool,
    /// Whether empty lines are indented.
    blank: bool,
}

/// The filter `indent` of jinja2; the engine's own drops the last line end.
pub(super) fn indent(state: &State<'_, '_>, arguments: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let Indent { text, unit, count, first, blank } = indent_arguments(arguments)?;
    // jinja2 appends a line feed before it splits, so that an empty last line counts; behind a carriage return the two
    // are one line end.
    let mut lines = lines(&text, LineEnds::Dropped);
    if text.is_empty() || text.ends_with(|end| is_line_end(end) && end != '\r') {
        lines.push("");
    }
    let added = unit.len().saturating_mul(count).saturating_mul(lines.len());
    state.consume_fuel((text.len() as u64).saturating_add(added as u64) / TEXT_BYTES_PER_FUEL)?;
    let indentation = unit.repeat(count);
    let indented = lines.into_iter().enumerate().map(|(number, line)| {
        let is_indented = if number == 0 { first } else { blank || !line.is_empty() };
        format!("{}{line}", if is_indented { indentation.as_str() } else { "" })
    });
    Ok(indented.collect::<Vec<_>>().join("\n"))
}

/// Reads `text, width=4, first=false, blank=false`.
fn indent_arguments(arguments: Rest<ValueOrKwargs>) -> Result<Indent, Error> {
    let (text, mut arguments) = Arguments::of("indent", arguments)?;
    let text = text.as_str().ok_or_else(|| arguments.refused("not a text"))?.to_owned();
    let width = arguments.next("width")?.unwrap_or_else(|| Value::from(INDENT_WIDTH));
    let (first, blank) = (arguments.is_set("first")?, arguments.is_set("blank")?);
    arguments.end()?;
    let (unit, count) = match width.as_str() {
        Some(unit) => (unit, 1),
        None => (" ", count(integer("indent: width", &width)?)),
    };
    Ok(Indent { text, unit: unit.to_owned(), count, first, blank })
}

fn join(state: &State<'_, '_>, separator: &str, args: &[Value]) -> Result<Value, Error> {
    let (values,): (&Value,) = from_args(args)?;
    let mut text = String::new();
    for (index, value) in values.try_iter()?.checked().enumerate() {
        let value = value?;
        let Some(value) = value.as_str() else {
            return Err(refuse("join: every item must be a string"));
        };
        let separator = if index > 0 { separator } else { "" };
        state.consume_fuel(1 + (separator.len() + value.len()) as u64 / TEXT_BYTES_PER_FUEL)?;
        text.push_str(separator);
        text.push_str(value);
    }
    Ok(text.into())
}

fn replace(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<Value, Error> {
    let (old, new, limit): (&str, &str, Option<i64>) = from_args(args)?;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let found = text.matches(old).take(limit).count();
    state.consume_fuel(new.len().saturating_mul(found) as u64 / TEXT_BYTES_PER_FUEL)?;
    Ok(text.replacen(old, new, limit).into())
}

/// Whether the format string `text` has a number of four digits or more inside braces, such as the width in `{:9999}`.
fn has_width(text: &str) -> bool {
    let mut fields = text.match_indices('{').filter_map(|(at, _)| text[at + 1..].split(['{', '}']).next());
    fields.any(|field| field.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > WIDTH_DIGITS))
}
