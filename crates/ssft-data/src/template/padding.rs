//! Python's methods of strings that pad a text to a width, counted in characters.

use super::arguments::{count, integer, refuse};
use super::bounds::TEXT_BYTES_PER_FUEL;
use minijinja::{Error, State, Value};

/// Calls `ljust`, `rjust`, `center`, `zfill` or `expandtabs` of `text`; `None` for any other method.
pub(super) fn method(
    state: &State<'_, '_>,
    text: &str,
    method: &str,
    args: &[Value],
) -> Option<Result<String, Error>> {
    let padded = |split: fn(usize, usize) -> usize| {
        let (width, fill) = width_and_fill(args)?;
        pad(state, text, width, fill, split)
    };
    Some(match method {
        "ljust" => padded(|_, _| 0),
        "rjust" => padded(|room, _| room),
        "center" => padded(before_centered),
        "zfill" => zero_filled(state, text, args),
        "expandtabs" => expanded(state, text, args),
        _ => return None,
    })
}

/// The text in the middle of `width` characters.
pub(super) fn centered(state: &State<'_, '_>, text: &str, width: i64) -> Result<String, Error> {
    pad(state, text, width, ' ', before_centered)
}

/// Number of fill characters in front of a centered text, of `room` in all. Of an odd number the larger part is in front if
/// the width is odd, as in CPython.
fn before_centered(room: usize, width: usize) -> usize {
    room / 2 + (room & width & 1)
}

fn width_and_fill(args: &[Value]) -> Result<(i64, char), Error> {
    let (width, fill) = match args {
        [width] => (width, Some(' ')),
        [width, fill] => (width, fill.as_str().and_then(only_char)),
        _ => return Err(refuse("give a width and a fill character")),
    };
    let fill = fill.ok_or_else(|| refuse("the fill character must be exactly one character long"))?;
    Ok((integer("the width", width)?, fill))
}

fn only_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// The text with as many `fill` as make `width` characters; `split` gives the number of those in front, from their number and
/// the width.
fn pad(
    state: &State<'_, '_>,
    text: &str,
    width: i64,
    fill: char,
    split: fn(usize, usize) -> usize,
) -> Result<String, Error> {
    let width = count(width);
    let room = width.saturating_sub(text.chars().count());
    consume(state, text, room.saturating_mul(fill.len_utf8()))?;
    let before = split(room, width);
    let filled = |times: usize| fill.to_string().repeat(times);
    Ok(format!("{}{text}{}", filled(before), filled(room - before)))
}

/// Consumes the fuel of a copy of `text` with `added` bytes.
fn consume(state: &State<'_, '_>, text: &str, added: usize) -> Result<(), Error> {
    state.consume_fuel(text.len().saturating_add(added) as u64 / TEXT_BYTES_PER_FUEL)
}

fn zero_filled(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<String, Error> {
    let [width] = args else { return Err(refuse("zfill: give a width")) };
    let width = integer("zfill: the width", width)?;
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = &text[..text.len() - digits.len()];
    let filled = pad(state, digits, width.saturating_sub(sign.len() as i64), '0', |room, _| room)?;
    Ok(format!("{sign}{filled}"))
}

/// Default distance of tab stops, in characters.
const TAB: i64 = 8;

fn expanded(state: &State<'_, '_>, text: &str, args: &[Value]) -> Result<String, Error> {
    let size = match args {
        [] => TAB,
        [size] => integer("expandtabs: the size", size)?,
        _ => return Err(refuse("expandtabs: give one size")),
    };
    let size = count(size);
    consume(state, text, size.saturating_mul(text.matches('\t').count()))?;
    let (mut expanded, mut column) = (String::new(), 0);
    for c in text.chars() {
        match c {
            '\t' if size > 0 => {
                let blanks = size - column % size;
                expanded.push_str(&" ".repeat(blanks));
                column += blanks;
            }
            '\t' => (),
            c => {
                expanded.push(c);
                column = if matches!(c, '\n' | '\r') { 0 } else { column + 1 };
            }
        }
    }
    Ok(expanded)
}
