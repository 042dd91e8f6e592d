//! Names that a statement binds in its body: variables of `for` and `with`, parameters of `macro` and `call`.

/// The names that the statement `text`, which starts with `keyword`, binds in its body.
pub(super) fn names<'a>(keyword: &str, text: &'a str) -> Vec<&'a str> {
    let words = words(text);
    // Without the keyword itself.
    let inside = words.get(1..).unwrap_or_default().iter();
    let chosen: Vec<&Word<'_>> = match keyword {
        "for" => inside.take_while(|word| word.text != "in").collect(),
        "with" => inside.filter(|word| word.depth == 0 && word.assigned).collect(),
        // The parameters without their defaults; of `call(a) m(b)` only the first list.
        "macro" | "call" => inside.filter(|word| word.group == 1 && word.depth == 1 && word.starts).collect(),
        _ => Vec::new(),
    };
    let called = keyword == "call" && !text.trim_start()[4..].trim_start().starts_with('(');
    if called { Vec::new() } else { chosen.into_iter().map(|word| word.text).collect() }
}

/// A name or number of a statement.
struct Word<'a> {
    text: &'a str,
    /// Number of enclosing brackets.
    depth: usize,
    /// Number of outermost brackets opened before the word.
    group: usize,
    /// Whether an opening parenthesis or a comma precedes the word.
    starts: bool,
    /// Whether `=` follows the word.
    assigned: bool,
}

fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let (mut depth, mut group, mut before, mut at) = (0_usize, 0, ' ', 0);
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = rest.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        if length > 0 {
            let behind = rest[length..].trim_start();
            let assigned = behind.starts_with('=') && !behind.starts_with("==");
            let starts = matches!(before, '(' | ',');
            if !c.is_ascii_digit() {
                words.push(Word { text: &rest[..length], depth, group, starts, assigned });
            }
        }
        match c {
            '(' | '[' | '{' => {
                group += usize::from(depth == 0);
                depth += 1;
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => (),
        }
        if !c.is_whitespace() {
            before = c;
        }
        at += match c {
            '\'' | '"' => string_length(rest, c),
            _ => length.max(c.len_utf8()),
        };
    }
    words
}

/// Length in bytes of the string literal at the start of `text`, quotes included.
fn string_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    let opening = quote.len_utf8();
    let closing = text[opening..].char_indices().find(|(_, c)| {
        let closes = *c == quote && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    closing.map_or(text.len(), |(index, _)| opening + index + quote.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let cases: [(&str, &str, &[&str]); 12] = [
            ("for", " for a in b", &["a"]),
            ("for", " for k, (v, w) in m.items() if k", &["k", "v", "w"]),
            ("with", " with a = f(x=1), b=a == 2", &["a", "b"]),
            ("with", "with", &[]),
            ("macro", " macro m(a, b = [c, (d, 1)], c='x, y', d=f(e), e)", &["a", "b", "c", "d", "e"]),
            ("macro", "macro m()", &[]),
            ("call", "call(a, b) m(c, d)", &["a", "b"]),
            ("call", " call m(c, d)", &[]),
            ("call", " call (a) m('(', c)", &["a"]),
            ("macro", r#"macro m(a="\"(", b)"#, &["a", "b"]),
            ("if", " if a", &[]),
            ("for", " for", &[]),
        ];
        for (keyword, text, expected) in cases {
            assert_eq!(names(keyword, text), expected, "{text}");
        }
    }
}
