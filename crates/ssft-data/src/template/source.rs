//! A template's text before the engine sees it: limits on its shape, and the few things that the engine writes
//! differently from jinja2.
//!
//! | in the template | for the engine | why |
//! |---|---|---|
//! | `{% generation %}` .. `{% endgeneration %}` | `{% with %}` .. `{% endwith %}` | marks what an assistant wrote; has a scope of its own |
//! | `{% set a = x %}` | `{% set a = (x)\|bounded %}` | the value stays small ([`super::bounds`]) |
//! | `{% for a in x %}` | `{% for a in x %}{% set a = (a)\|bounded %}` | so does that of a loop, a macro, a `with` |
//! | `'\a'`, `'\v'`, `'\/'`, `'\U0001f980'` | the same characters | escapes of Python that the engine does not have |
//! | line ends `\r\n` and `\r` | `\n` | as jinja2 reads any source |

use super::bind::names;
use super::bounds::{BOUNDED, STORED};

/// Longest source in bytes; the longest real template has 20,000.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Most blocks inside one another, every `elif` counted as one; real templates have up to 20.
const MAX_BLOCKS: usize = 64;
/// Most brackets inside one another; real templates have up to 5.
const MAX_BRACKETS: usize = 32;
/// Most names and operators in one tag; real templates have up to 70. The engine's compiler calls itself for each.
const MAX_WEIGHT: usize = 300;

/// What is wrong with a source, and on which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) reason: String,
    pub(super) line: usize,
}

/// The text to compile, line by line that of `source`. Without `bounds` no `set` is changed, so that a mistake in
/// one is reported as its author wrote it.
///
/// # Errors
/// A [`Fault`] if the source is larger or deeper than any template needs to be, or if the `generation` tags do not
/// match.
pub(super) fn prepare(source: &str, bounds: bool) -> Result<String, Fault> {
    if source.len() > MAX_BYTES {
        let reason = format!("{} bytes long, more than {MAX_BYTES}", source.len());
        return Err(Fault { reason, line: 1 });
    }
    let unix = source.replace("\r\n", "\n").replace('\r', "\n");
    let output = String::with_capacity(unix.len());
    let mut writer = Writer { source: &unix, at: 0, output, open: Vec::new(), levels: 0, bounds };
    writer.run()?;
    Ok(writer.output)
}

/// A block that waits for its end.
struct Block {
    generation: bool,
    line: usize,
    /// Itself and its `elif`s.
    levels: usize,
}

/// What stands between a tag's delimiters.
#[derive(Default)]
struct Tag {
    text: String,
    /// Where in `text` the first `=` of an assignment stands.
    assign: Option<usize>,
    /// Names and operators.
    weight: usize,
}

impl Tag {
    /// The name of a statement.
    fn keyword(&self) -> &str {
        let text = self.text.trim_start();
        &text[..word_length(text)]
    }

    /// Whether nothing follows the name.
    fn is_bare(&self) -> bool {
        self.text.trim() == self.keyword()
    }
}

struct Writer<'a> {
    source: &'a str,
    at: usize,
    output: String,
    open: Vec<Block>,
    levels: usize,
    bounds: bool,
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
        match self.open.iter().find(|block| block.generation) {
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

    /// An unclosed comment is the engine's to report.
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
            ("set", Some(assign)) if self.bounds => self.output.push_str(&bounded(&tag.text, assign)),
            _ => self.output.push_str(&tag.text),
        }
        if self.bounds {
            // The last of these ends with the statement's own delimiter.
            for name in names(tag.keyword(), &tag.text) {
                self.output.push_str(&format!("%}}{{% set {name}=({name})|{BOUNDED} "));
            }
        }
        Ok(())
    }

    /// Counts the blocks around what follows `tag`.
    fn nest(&mut self, tag: &Tag) -> Result<(), Fault> {
        let keyword = tag.keyword();
        match keyword {
            "endgeneration" if !self.open.last().is_some_and(|block| block.generation) => {
                return Err(self.fault(
                    "endgeneration without generation, or before the end of a block in it".to_owned(),
                ));
            }
            "endgeneration" => self.close(),
            "if" | "for" | "macro" | "call" | "filter" | "block" | "with" | "autoescape" | "generation" => {
                self.begin(keyword == "generation");
            }
            "set" if tag.assign.is_none() => self.begin(false),
            "elif" => {
                self.levels += 1;
                self.open.iter_mut().next_back().into_iter().for_each(|block| block.levels += 1);
            }
            // One that does not match is the engine's to report.
            _ if keyword.starts_with("end") && !self.open.last().is_some_and(|block| block.generation) => {
                self.close()
            }
            _ => (),
        }
        match self.levels > MAX_BLOCKS {
            true => Err(self.fault(format!("more than {MAX_BLOCKS} blocks inside one another"))),
            false => Ok(()),
        }
    }

    fn begin(&mut self, generation: bool) {
        let line = 1 + self.source[..self.at].matches('\n').count();
        self.open.push(Block { generation, line, levels: 1 });
        self.levels += 1;
    }

    fn close(&mut self) {
        self.levels -= self.open.pop().map_or(0, |block| block.levels);
    }

    /// Reads up to the end of the tag. One that is not closed is the engine's to report.
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

    /// One name, number, operator or space, which starts with `first`.
    fn token(&mut self, first: char, depth: usize, tag: &mut Tag) {
        let two = self.rest().get(..2).unwrap_or_default();
        let length = match word_length(self.rest()) {
            0 if matches!(two, "==" | "!=" | "<=" | ">=" | "**" | "//") => 2,
            0 => first.len_utf8(),
            word => word,
        };
        // Numbers, and what separates the items of a list, may be many.
        let weighs = !(first.is_whitespace() || first.is_ascii_digit() || matches!(first, ',' | ':'));
        tag.weight += usize::from(weighs);
        if first == '=' && length == 1 && depth == 0 && tag.assign.is_none() {
            tag.assign = Some(tag.text.len());
        }
        tag.text.push_str(&self.source[self.at..self.at + length]);
        self.at += length;
    }

    /// A string in quotes, with Python's escapes in the engine's writing.
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
                        chars.nth(7);
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

/// The first `{{`, `{%` or `{#`, and its second character.
fn next_start(text: &str) -> Option<(usize, u8)> {
    let pairs = text.as_bytes().windows(2).enumerate();
    let mut starts = pairs.filter(|(_, pair)| pair[0] == b'{' && matches!(pair[1], b'{' | b'%' | b'#'));
    starts.next().map(|(index, pair)| (index, pair[1]))
}

/// Length of the name or number that `text` starts with.
fn word_length(text: &str) -> usize {
    text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count()
}

/// If `rest` is the inside of `{% raw %}`: the length up to the end of `{% endraw %}`, or of everything.
fn raw_block(rest: &str) -> Option<usize> {
    let start = bare_tag(rest, "raw")?;
    let ends = rest[start..].match_indices("{%").map(|(index, _)| start + index + 2);
    let closed = ends.filter_map(|inside| {
        let sign = usize::from(rest[inside..].starts_with(['-', '+']));
        Some(inside + sign + bare_tag(&rest[inside + sign..], "endraw")?)
    });
    Some({ closed }.next().unwrap_or(rest.len()))
}

/// The length of ` name %}` if `rest` starts so.
fn bare_tag(rest: &str, name: &str) -> Option<usize> {
    let behind = rest.trim_ascii_start().strip_prefix(name)?.trim_ascii_start();
    let behind = behind.strip_prefix(['-', '+']).unwrap_or(behind).strip_prefix("%}")?;
    Some(rest.len() - behind.len())
}

/// The value of ` set target = value ` kept small; that of a namespace's attribute also without cycles.
fn bounded(text: &str, assign: usize) -> String {
    let (target, value) = (&text[..assign], &text[assign + 1..]);
    let filter = if target.contains('.') { STORED } else { BOUNDED };
    format!("{target}=({value})|{filter} ")
}

/// The character of `\U0001f980`, which the engine does not know.
fn wide_escape(escaped: char, behind: &str) -> Option<String> {
    let digits = behind.get(..8).filter(|_| escaped == 'U')?;
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
        // No escape in Python: both characters stay.
        '/' => text.push_str("\\\\/"),
        _ => text.extend(['\\', escaped]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(source: &str) -> Result<String, String> {
        prepare(source, false).map_err(|fault| format!("{}: {}", fault.line, fault.reason))
    }

    #[test]
    fn only_tags_change() {
        let cases = [
            ("{% generation %}a{% endgeneration %}", "{% with %}a{% endwith %}"),
            ("{%- generation -%}a{%+endgeneration+%}", "{%- with -%}a{%+endwith+%}"),
            ("{%\n generation\n%}a{%-endgeneration-%}", "{%\n with\n%}a{%-endwith-%}"),
            (
                "{# {% generation %} #}{{ '{% generation %}' }}",
                "{# {% generation %} #}{{ '{% generation %}' }}",
            ),
            (
                "{% raw %}{% generation %}{%- endraw -%}{% generation %}{% endgeneration %}",
                "{% raw %}{% generation %}{%- endraw -%}{% with %}{% endwith %}",
            ),
            ("{% generation x %}{% endgeneration %}", "{% generation x %}{% endwith %}"),
            ("generation {{ generation }} {", "generation {{ generation }} {"),
            (r#"{{ "\"{% generation %}" }}"#, r#"{{ "\"{% generation %}" }}"#),
            ("a\r\nb\rc", "a\nb\nc"),
            (r"{{ '\a\v\/\n\d\U0001f980\U00000027\\' }}", "{{ '\\x07\\x0b\\\\/\\n\\d🦀\\'\\\\' }}"),
            ("{{ 'é' ~ {'a': {1: 2}} }}{{ 'open", "{{ 'é' ~ {'a': {1: 2}} }}{{ 'open"),
        ];
        for (source, expected) in cases {
            assert_eq!(marked(source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn sets_are_bounded() {
        let cases = [
            ("{% set a = b %}", "{% set a =( b )|bounded_ %}"),
            ("{%- set n.a = 1, 2 -%}", "{%- set n.a =( 1, 2 )|stored_ -%}"),
            ("{% set a = f(x=1) == 2 %}", "{% set a =( f(x=1) == 2 )|bounded_ %}"),
            ("{% set a %}b{% endset %}", "{% set a %}b{% endset %}"),
            ("{% for a in b -%}", "{% for a in b %}{% set a=(a)|bounded_ -%}"),
            (
                "{% macro m(a, b=1) %}",
                "{% macro m(a, b=1) %}{% set a=(a)|bounded_ %}{% set b=(b)|bounded_ %}",
            ),
            ("{% set a | f(x=1) %}b{% endset %}", "{% set a | f(x=1) %}b{% endset %}"),
        ];
        for (source, expected) in cases {
            assert_eq!(prepare(source, true).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn generation_must_match() {
        let without = "endgeneration without generation, or before the end of a block in it";
        let cases = [
            ("a\n{% generation %}", "2: generation without endgeneration".to_owned()),
            ("{% endgeneration %}", format!("1: {without}")),
            ("{% generation %}\n{% if x %}{% endgeneration %}{% endif %}", format!("2: {without}")),
        ];
        for (source, expected) in cases {
            assert_eq!(marked(source), Err(expected), "{source}");
        }
    }
}
