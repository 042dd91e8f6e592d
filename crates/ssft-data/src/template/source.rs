//! Preparation of a template's source: limits on its size and nesting, and translation of jinja2 for the engine.
//!
//! | in the template | for the engine | reason |
//! |---|---|---|
//! | `{% generation %}` .. `{% endgeneration %}` | `{% with %}` .. `{% endwith %}` | marks the assistant's text; opens a scope |
//! | `{% set a = x %}` | `{% set a = (x)\|bounded_ %}` | limits the size of the value ([`super::bounds`]) |
//! | `{% for a in x %}` | `{% for a in x %}{% set a = (a)\|bounded_ %}` | the same for `for`, `macro`, `call`, `with` |
//! | `'\a'`, `'\v'`, `'\/'`, `'\U0001f980'` | the same characters | Python escapes that the engine lacks |
//! | line ends `\r\n` and `\r` | `\n` | as in jinja2 |

use super::bind::names;
use super::bounds::{BOUNDED, STORED};

/// Longest source in bytes; the longest known template has 20,000.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of blocks, where each `elif` counts as a level; known templates have up to 20.
const MAX_BLOCKS: usize = 64;
/// Deepest nesting of brackets; known templates have up to 5.
const MAX_BRACKETS: usize = 32;
/// Most names and operators in one tag; known templates have up to 70. The engine's compiler recurses for each.
const MAX_WEIGHT: usize = 300;
/// Number of hexadecimal digits of a `\U` escape.
const WIDE_ESCAPE_DIGITS: usize = 8;

/// What [`prepare`] rewrites.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rewriting {
    /// Differences between jinja2 and the engine.
    Dialect,
    /// The same, and limits on assigned values.
    DialectAndBounds,
}

/// A fault of a source and its line number.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    pub(super) line: usize,
}

/// The source for the engine; line numbers are those of `source`. [`Rewriting::Dialect`] leaves `set` statements
/// unchanged, so that the engine's error messages quote the author's text.
///
/// # Errors
/// A [`Fault`] if the source exceeds a limit or the `generation` tags do not match.
pub(super) fn prepare(source: &str, rewriting: Rewriting) -> Result<String, Fault> {
    if source.len() > MAX_BYTES {
        let reason = format!("{} bytes long, more than {MAX_BYTES}", source.len());
        return Err(Fault { reason, line: 1 });
    }
    let unix = source.replace("\r\n", "\n").replace('\r', "\n");
    let output = String::with_capacity(unix.len());
    let mut writer = Writer { source: &unix, at: 0, output, open: Vec::new(), levels: 0, rewriting };
    writer.run()?;
    Ok(writer.output)
}

/// Kind of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BlockKind {
    Generation,
    Other,
}

/// A block without its end tag so far.
struct Block {
    kind: BlockKind,
    line: usize,
    /// One, and one for each `elif`.
    levels: usize,
}

/// The content of a tag, between its delimiters.
#[derive(Default)]
struct Tag {
    text: String,
    /// Byte offset in `text` of the `=` of an assignment.
    assign: Option<usize>,
    /// Number of names and operators.
    weight: usize,
}

impl Tag {
    /// The keyword of a statement.
    fn keyword(&self) -> &str {
        let text = self.text.trim_start();
        &text[..word_length(text)]
    }

    /// Whether nothing follows the keyword.
    fn is_bare(&self) -> bool {
        self.text.trim() == self.keyword()
    }
}

struct Writer<'a> {
    source: &'a str,
    /// Byte offset in `source` of the next character.
    at: usize,
    output: String,
    open: Vec<Block>,
    /// Sum of the levels of all open blocks.
    levels: usize,
    rewriting: Rewriting,
}

impl Writer<'_> {
    fn run(&mut self) -> Result<(), Fault> {
        while let Some((start, kind)) = next_start(&self.source[self.at..]) {
            self.copy(start + 2);
            if self.rest().starts_with(['-', '+']) {
                self.copy(1);
            }
            match kind {
                b'#' => self.comment(),
                b'{' => self.expression()?,
                _ => self.statement()?,
            }
        }
        self.copy(self.rest().len());
        match self.open.iter().find(|block| block.kind == BlockKind::Generation) {
            Some(block) => {
                Err(Fault { reason: "generation without endgeneration".to_owned(), line: block.line })
            }
            None => Ok(()),
        }
    }

    fn rest(&self) -> &str {
        &self.source[self.at..]
    }

    fn copy(&mut self, bytes: usize) {
        self.output.push_str(&self.source[self.at..self.at + bytes]);
        self.at += bytes;
    }

    fn fault(&self, reason: String) -> Fault {
        Fault { reason, line: 1 + self.source[..self.at].matches('\n').count() }
    }

    /// Copies a comment. The engine reports one that is not closed.
    fn comment(&mut self) {
        let end = self.rest().find("#}").map_or(self.rest().len(), |end| end + 2);
        self.copy(end);
    }

    fn expression(&mut self) -> Result<(), Fault> {
        let tag = self.tag("}}")?;
        self.output.push_str(&tag.text);
        Ok(())
    }

    fn statement(&mut self) -> Result<(), Fault> {
        if let Some(raw) = raw_block(self.rest()) {
            self.copy(raw);
            return Ok(());
        }
        let tag = self.tag("%}")?;
        self.nest(&tag)?;
        if tag.assign.is_some_and(|assign| tag.text[..assign].contains("._")) {
            return Err(self.fault("a namespace has no attributes that start with _".to_owned()));
        }
        match (tag.keyword(), tag.assign) {
            ("generation", _) if tag.is_bare() => {
                self.output.push_str(&tag.text.replace("generation", "with"))
            }
            ("endgeneration", _) if tag.is_bare() => {
                self.output.push_str(&tag.text.replace("generation", "with"))
            }
            ("set", Some(assign)) if self.rewriting == Rewriting::DialectAndBounds => {
                self.output.push_str(&bounded(&tag.text, assign))
            }
            _ => self.output.push_str(&tag.text),
        }
        if self.rewriting == Rewriting::DialectAndBounds {
            // The closing delimiter of the statement, copied later, closes the last of these tags.
            for name in names(tag.keyword(), &tag.text) {
                self.output.push_str(&format!("%}}{{% set {name}=({name})|{BOUNDED} "));
            }
        }
        Ok(())
    }

    /// Updates the open blocks for `tag`.
    fn nest(&mut self, tag: &Tag) -> Result<(), Fault> {
        let keyword = tag.keyword();
        match keyword {
            "endgeneration" if !self.is_in_generation() => {
                return Err(self.fault(
                    "endgeneration without generation, or before the end of a block in it".to_owned(),
                ));
            }
            "endgeneration" => self.close(),
            "if" | "for" | "macro" | "call" | "filter" | "block" | "with" | "autoescape" | "generation" => {
                self.begin(if keyword == "generation" { BlockKind::Generation } else { BlockKind::Other });
            }
            "set" if tag.assign.is_none() => self.begin(BlockKind::Other),
            "elif" => {
                self.levels += 1;
                self.open.iter_mut().next_back().into_iter().for_each(|block| block.levels += 1);
            }
            // The engine reports an end tag that does not match.
            _ if keyword.starts_with("end") && !self.is_in_generation() => self.close(),
            _ => (),
        }
        match self.levels > MAX_BLOCKS {
            true => Err(self.fault(format!("more than {MAX_BLOCKS} blocks inside one another"))),
            false => Ok(()),
        }
    }

    /// Whether the innermost open block is `generation`.
    fn is_in_generation(&self) -> bool {
        self.open.last().is_some_and(|block| block.kind == BlockKind::Generation)
    }

    fn begin(&mut self, kind: BlockKind) {
        let line = 1 + self.source[..self.at].matches('\n').count();
        self.open.push(Block { kind, line, levels: 1 });
        self.levels += 1;
    }

    fn close(&mut self) {
        self.levels -= self.open.pop().map_or(0, |block| block.levels);
    }

    /// Reads up to the closing delimiter `close`. The engine reports a tag that is not closed.
    fn tag(&mut self, close: &str) -> Result<Tag, Fault> {
        let mut tag = Tag::default();
        let mut depth = 0_usize;
        while let Some(first) = self.rest().chars().next() {
            let sign = usize::from(matches!(first, '-' | '+'));
            if depth == 0 && self.rest()[sign..].starts_with(close) {
                break;
            }
            match first {
                '\'' | '"' => self.literal(first, &mut tag.text),
                '(' | '[' | '{' => depth += 1,
                ')' | ']' | '}' => depth = depth.saturating_sub(1),
                _ => (),
            }
            if !matches!(first, '\'' | '"') {
                self.token(first, depth, &mut tag);
            }
            if depth > MAX_BRACKETS {
                return Err(self.fault(format!("more than {MAX_BRACKETS} brackets inside one another")));
            }
            if tag.weight > MAX_WEIGHT {
                return Err(self.fault(format!("more than {MAX_WEIGHT} names and operators in one tag")));
            }
        }
        Ok(tag)
    }

    /// Reads one name, number, operator or space, which starts with `first`.
    fn token(&mut self, first: char, depth: usize, tag: &mut Tag) {
        let two = self.rest().get(..2).unwrap_or_default();
        let length = match word_length(self.rest()) {
            0 if matches!(two, "==" | "!=" | "<=" | ">=" | "**" | "//") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        // Numbers and separators do not count: lists of constants can be long.
        let weighs = !(first.is_whitespace() || first.is_ascii_digit() || matches!(first, ',' | ':'));
        tag.weight += usize::from(weighs);
        if first == '=' && length == 1 && depth == 0 && tag.assign.is_none() {
            tag.assign = Some(tag.text.len());
        }
        tag.text.push_str(&self.source[self.at..self.at + length]);
        self.at += length;
    }

    /// Reads a string literal and translates Python's escapes for the engine.
    fn literal(&mut self, quote: char, text: &mut String) {
        let body = &self.source[self.at + 1..];
        let mut chars = body.char_indices();
        text.push(quote);
        while let Some((_, c)) = chars.next() {
            match c {
                '\\' => {
                    let Some((_, escaped)) = chars.next() else { break };
                    let behind = chars.as_str();
                    if let Some(character) = wide_escape(escaped, behind) {
                        text.push_str(&character);
                        chars.nth(WIDE_ESCAPE_DIGITS - 1);
                    } else {
                        push_escape(escaped, text);
                    }
                }
                _ => text.push(c),
            }
            if c == quote {
                break;
            }
        }
        self.at = self.source.len() - chars.as_str().len();
    }
}

/// Byte offset of the first `{{`, `{%` or `{#`, and its second character.
fn next_start(text: &str) -> Option<(usize, u8)> {
    let pairs = text.as_bytes().windows(2).enumerate();
    let mut starts = pairs.filter(|(_, pair)| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'));
    starts.next().map(|(index, pair)| (index, pair[1]))
}

/// Length in bytes of the name or number at the start of `text`.
fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// If `rest` starts with the content of a `{% raw %}` tag: the length up to and including `{% endraw %}`, or of all of
/// `rest` without one.
fn raw_block(rest: &str) -> Option<usize> {
    let start = bare_tag(rest, "raw")?;
    let ends = rest[start..].match_indices("{%").map(|(index, _)| start + index + 2);
    let closed = ends.filter_map(|inside| {
        let sign = usize::from(rest[inside..].starts_with(['-', '+']));
        Some(inside + sign + bare_tag(&rest[inside + sign..], "endraw")?)
    });
    Some({ closed }.next().unwrap_or(rest.len()))
}

/// The length of ` name %}` if `rest` starts with it.
fn bare_tag(rest: &str, name: &str) -> Option<usize> {
    let behind = rest.trim_ascii_start().strip_prefix(name)?.trim_ascii_start();
    let behind = behind.strip_prefix(['-', '+']).unwrap_or(behind).strip_prefix("%}")?;
    Some(rest.len() - behind.len())
}

/// ` set target = value ` with the filter that limits the value.
fn bounded(text: &str, assign: usize) -> String {
    let (target, value) = (&text[..assign], &text[assign + 1..]);
    let filter = if target.contains('.') { STORED } else { BOUNDED };
    format!("{target}=({value})|{filter} ")
}

/// The character of an escape such as `\U0001f980`, where `escaped` is `U` and `behind` starts with the digits.
fn wide_escape(escaped: char, behind: &str) -> Option<String> {
    let digits = behind.get(..WIDE_ESCAPE_DIGITS).filter(|_| escaped == 'U')?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    match char::from_u32(code)? {
        c @ ('\'' | '"' | '\\') => Some(format!("\\{c}")),
        c => Some(c.to_string()),
    }
}

fn push_escape(escaped: char, text: &mut String) {
    match escaped {
        'a' => text.push_str("\\x07"),
        'v' => text.push_str("\\x0b"),
        // Not an escape in Python: both characters stay.
        '/' => text.push_str("\\\\/"),
        _ => text.extend(['\\', escaped]),
    }
}

#[cfg(test)]
mod tests;
