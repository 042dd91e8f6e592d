//! Answers in free text: extraction and canonical form.

use serde::{Deserialize, Serialize};

/// Mark in front of an answer.
const ANSWER_MARK: &str = "####";
/// Digits between commas.
const THOUSANDS: usize = 3;
/// Most digits of a number compared by value.
const MOST_DIGITS: usize = 18;

/// Place of the answer in a text, and equality of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswerFormat {
    /// The text behind the last `####`, compared by characters.
    #[default]
    Exact,
    /// The first number behind the last `####` or, without that mark, the last number of the text; compared by value.
    Numeric,
    /// The content of the last `\boxed{..}`; numbers and fractions compared by value, other content by characters without
    /// spaces.
    Boxed,
}

impl AnswerFormat {
    /// The answer in `text`, in canonical form; `None` if there is none.
    pub fn extract(self, text: &str) -> Option<String> {
        let marked = || text.rsplit_once(ANSWER_MARK).map(|(_, answer)| answer.trim());
        match self {
            Self::Exact => marked().filter(|answer| !answer.is_empty()).map(str::to_owned),
            Self::Numeric => match marked() {
                Some(answer) => numbers(answer).next(),
                None => numbers(text).last(),
            }
            .map(canonical_number),
            Self::Boxed => last_boxed(text).map(canonical_term).filter(|answer| !answer.is_empty()),
        }
    }

    /// The canonical form of a bare answer, such as a record's `answer`.
    pub fn canonical(self, answer: &str) -> String {
        let answer = answer.trim();
        match self {
            Self::Exact => answer.to_owned(),
            Self::Numeric => numbers(answer).next().map_or_else(|| answer.to_owned(), canonical_number),
            Self::Boxed => canonical_term(last_boxed(answer).unwrap_or(answer)),
        }
    }
}

/// The numbers in a text, as written: digits with an optional sign, commas between thousands, decimals, and `/` with a
/// denominator.
fn numbers(text: &str) -> impl Iterator<Item = &str> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let first = at + text[at..].find(|c: char| c.is_ascii_digit())?;
        let bytes = text.as_bytes();
        let digits =
            |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        // `.5` is a number; in `a.5` and `1.2.5` only the 5 is.
        let point =
            text[..first].strip_suffix('.').is_some_and(|before| !before.ends_with(char::is_alphanumeric));
        let from = first - usize::from(point);
        // A minus sign belongs to the number, unless an operand precedes it.
        let signed = from > 0 && bytes[from - 1] == b'-' && !text[..from - 1].ends_with(is_operand);
        let mut end = digits(first);
        if !point && end - first <= THOUSANDS {
            while bytes.get(end) == Some(&b',') && digits(end + 1) == end + 1 + THOUSANDS {
                end += 1 + THOUSANDS;
            }
        }
        let marks: &[u8] = if point { b"/" } else { b"./" };
        for mark in marks {
            if bytes.get(end) == Some(mark) && digits(end + 1) > end + 1 {
                end = digits(end + 1);
            }
        }
        at = end;
        Some(&text[from - usize::from(signed)..end])
    })
}

/// Whether a `-` behind `c` is a subtraction.
fn is_operand(c: char) -> bool {
    c.is_alphanumeric() || c == ')'
}

/// The canonical form of a number: `1200.5` for `1,200.50`, `0.75` for `6/8`, `1/3` for `2/6`, `0` for `-0`.
fn canonical_number(text: &str) -> String {
    let plain: String = text.chars().filter(|&c| c != ',').collect();
    fraction(&plain).map_or(plain, |[numerator, denominator]| spelled(numerator, denominator))
}

/// Reduced numerator and denominator of a number; `None` if the text is not a number, has too many digits, or has the
/// denominator 0.
fn fraction(text: &str) -> Option<[i128; 2]> {
    let (above, below) = text.split_once('/').unwrap_or((text, "1"));
    let [[a, b], [c, d]] = [decimal(above)?, decimal(below)?];
    let (numerator, denominator) = (a.checked_mul(d)?, b.checked_mul(c)?);
    let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs()) as i128;
    let sign = denominator.signum();
    (denominator != 0).then(|| [sign * numerator / divisor, sign * denominator / divisor])
}

/// Numerator and denominator (a power of 10) of a decimal.
fn decimal(text: &str) -> Option<[i128; 2]> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    // A longer number could overflow; it is compared as written.
    let fits = whole.len() + part.len() <= MOST_DIGITS && part.bytes().all(|byte| byte.is_ascii_digit());
    let scaled = format!("{whole}{part}").parse().ok().filter(|_| fits)?;
    Some([scaled, 10_i128.pow(part.len() as u32)])
}

/// Greatest common divisor; 1 for two zeros.
fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

/// The text of a reduced fraction: an integer or a finite decimal if possible, else `a/b`.
fn spelled(numerator: i128, denominator: i128) -> String {
    let without = |factor: i128, mut rest: i128| {
        while rest % factor == 0 {
            rest /= factor;
        }
        rest
    };
    if denominator == 1 {
        return numerator.to_string();
    }
    if without(5, without(2, denominator)) != 1 {
        return format!("{numerator}/{denominator}");
    }
    // Long division; it ends, since the denominator has no prime factors other than 2 and 5.
    let (sign, mut rest) = (if numerator < 0 { "-" } else { "" }, numerator.unsigned_abs());
    let denominator = denominator.unsigned_abs();
    let mut text = format!("{sign}{}.", rest / denominator);
    rest %= denominator;
    while rest > 0 {
        rest *= 10;
        text += &(rest / denominator).to_string();
        rest %= denominator;
    }
    text
}

/// The content of the last `\boxed{..}` with balanced braces.
fn last_boxed(text: &str) -> Option<&str> {
    const OPENING: &str = "\\boxed{";
    let content = |(at, _): (usize, &str)| balanced(&text[at + OPENING.len()..]);
    text.rmatch_indices(OPENING).find_map(content)
}

/// The text before the brace that closes one opened before `text`.
fn balanced(text: &str) -> Option<&str> {
    let mut depth = 1;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[..at]);
        }
    }
    None
}

/// A LaTeX term without spaces, size commands, dollar, percent and degree signs, and final periods. A number or a
/// fraction of numbers is in the form of [`canonical_number`].
fn canonical_term(term: &str) -> String {
    // `1, 200` is two numbers, `1,200` one.
    let is_list = term.split_whitespace().any(|word| word.ends_with(','));
    let mut text: String = term.split_whitespace().collect();
    for nothing in ["\\left", "\\right", "\\,", "\\!", "\\;", "\\$", "$", "^\\circ", "^{\\circ}", "\\%", "%"]
    {
        text = text.replace(nothing, "");
    }
    for fraction in ["\\dfrac", "\\tfrac"] {
        text = text.replace(fraction, "\\frac");
    }
    let text = text.trim_end_matches('.');
    if let Some([numerator, denominator]) = quotient(text) {
        return spelled(numerator, denominator);
    }
    let number = numbers(text).next().filter(|&number| number == text && !is_list);
    number.map_or_else(|| text.to_owned(), canonical_number)
}

/// The reduced fraction of `\frac{a}{b}` with two numbers and an optional sign.
fn quotient(text: &str) -> Option<[i128; 2]> {
    let (sign, rest) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let rest = rest.strip_prefix("\\frac{")?;
    let above = balanced(rest)?;
    let rest = rest[above.len() + 1..].strip_prefix('{')?;
    let below = balanced(rest)?;
    let whole = below.len() + 1 == rest.len() && !below.contains('/');
    fraction(&format!("{sign}{above}/{below}")).filter(|_| whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use AnswerFormat::{Boxed, Exact, Numeric};

    fn check(format: AnswerFormat, cases: &[(&str, Option<&str>)]) {
        for (text, answer) in cases {
            assert_eq!(format.extract(text).as_deref(), *answer, "{format:?} {text:?}");
        }
    }

    #[test]
    fn exact_answers_by_hand() {
        check(
            Exact,
            &[
                ("2+5=7 #### 47", Some("47")),
                ("#### 1 #### 2 ", Some("2")),
                ("#### 1,000", Some("1,000")),
                ("no mark 5", None),
                ("#### ", None),
                ("", None),
            ],
        );
    }

    #[test]
    fn numeric_answers_by_hand() {
        check(
            Numeric,
            &[
                ("so #### 47 apples", Some("47")),
                ("it is 3, no 4.", Some("4")),
                ("#### $1,200.50", Some("1200.5")),
                ("#### 1,20", Some("1")),
                ("about 12,345,678", Some("12345678")),
                ("x = -3", Some("-3")),
                ("7-3", Some("3")),
                ("(2)-5", Some("5")),
                ("#### -0.0", Some("0")),
                ("6/8", Some("0.75")),
                ("2/6", Some("1/3")),
                ("1/0", Some("1/0")),
                ("0.125", Some("0.125")),
                ("007", Some("7")),
                ("1.2.5", Some("5")),
                ("#### .5", Some("0.5")),
                ("it is -.5", Some("-0.5")),
                ("1-.5", Some("0.5")),
                (".5.2", Some("2")),
                ("a.5", Some("5")),
                ("#### none, but 4 before 5", Some("4")),
                ("4 #### none", None),
                ("none", None),
                ("12345678901234567890123", Some("12345678901234567890123")),
                ("é5", Some("5")),
            ],
        );
        assert_eq!(Numeric.canonical(" 1,000 "), "1000");
        assert_eq!(Numeric.canonical("many"), "many");
    }

    #[test]
    fn boxed_answers_by_hand() {
        check(
            Boxed,
            &[
                ("so \\boxed{42}", Some("42")),
                ("\\boxed{1} or \\boxed{ 2 }", Some("2")),
                ("\\boxed{\\frac{3}{4}}", Some("0.75")),
                ("\\boxed{-\\dfrac{1}{3}}.", Some("-1/3")),
                ("\\boxed{\\frac{x+1}{2}}", Some("\\frac{x+1}{2}")),
                ("\\boxed{x+1/2}", Some("x+1/2")),
                ("\\boxed{\\frac{3}{-4}}", Some("-0.75")),
                ("\\boxed{\\frac{1}{0}}", Some("\\frac{1}{0}")),
                ("\\boxed{.50}", Some("0.5")),
                ("\\boxed{1,200}", Some("1200")),
                ("\\boxed{1, 200}", Some("1,200")),
                ("\\boxed{\\left(1, 2\\right)}", Some("(1,2)")),
                ("\\boxed{1{,}000}", Some("1{,}000")),
                ("\\boxed{50\\%}", Some("50")),
                ("\\boxed{90^\\circ}", Some("90")),
                ("\\boxed{x^{2}+1}", Some("x^{2}+1")),
                ("\\boxed{3.50}", Some("3.5")),
                // An unclosed box is ignored.
                ("\\boxed{7} and \\boxed{8", Some("7")),
                ("\\boxed{}", None),
                ("42", None),
            ],
        );
        assert_eq!(Boxed.canonical("\\boxed{6/8}"), "0.75");
        assert_eq!(Boxed.canonical("\\frac{6}{8}"), "0.75");
        assert_eq!(Boxed.canonical("(1,2)"), "(1,2)");
    }
}
