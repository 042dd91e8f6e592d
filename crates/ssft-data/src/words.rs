//! Wording of messages.

/// A count with its noun: `1 row`, `2 rows`.
pub fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Longest quotation of a user's text in a message, in characters.
const QUOTE_CHARS: usize = 80;

/// Quotes a user's text, with escapes and cut after 80 characters, so that the message stays one short line.
pub fn quote(text: &str) -> String {
    match text.char_indices().nth(QUOTE_CHARS) {
        Some((end, _)) => format!("{:?}..", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// A library's own message on one line: control characters are escaped. Its backticks become double quotes, because backticks
/// mark settings in our messages.
pub fn one_line(message: &str) -> String {
    let escape = |c: char| match c {
        '`' => "\"".to_owned(),
        c if c.is_control() => c.escape_default().collect(),
        c => c.to_string(),
    };
    message.chars().map(escape).collect()
}

/// A share in percent: `0.715` as `71.5 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotations_are_one_short_line() {
        assert_eq!(quote("q1"), r#""q1""#);
        assert_eq!(quote("a\nb\"c"), r#""a\nb\"c""#);
        assert_eq!(quote(&"é".repeat(81)), format!("\"{}\"..", "é".repeat(80)));
        assert_eq!(one_line("a\r\nb\u{1b}é `data`"), "a\\r\\nb\\u{1b}é \"data\"");
    }
}
