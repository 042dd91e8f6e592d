//! The reference answer within a solution.

use crate::error::RowFault;
use crate::row::Row;

/// Longest solution that is itself an answer, in characters.
const ANSWER_CHARS: usize = 200;

/// The answer in the solution of a row, in a column that it may lack. A solution without an answer stays in its column, unread.
pub(super) fn reference(row: &mut Row, column: &str) -> Result<Option<String>, RowFault> {
    let solution = row.text_if_any(column)?;
    let answer = answer(&solution);
    if answer.is_none() {
        row.put_back(column, solution);
    }
    Ok(answer)
}

/// The answer in `solution`: the content of its last `\boxed{..}`, or all of it if it is one short line.
fn answer(solution: &str) -> Option<String> {
    let solution = solution.trim();
    if let Some(boxed) = last_boxed(solution).map(str::trim).filter(|content| !content.is_empty()) {
        return Some(boxed.to_owned());
    }
    let short = !solution.contains(['\n', '\r']) && solution.chars().nth(ANSWER_CHARS).is_none();
    (short && !solution.is_empty()).then(|| solution.to_owned())
}

/// Content of the last `\boxed{..}` with balanced braces.
fn last_boxed(text: &str) -> Option<&str> {
    text.rmatch_indices("\\boxed{").find_map(|(at, opening)| {
        let inside = &text[at + opening.len()..];
        closing_brace(inside).map(|end| &inside[..end])
    })
}

/// Byte offset of the brace that closes one opened before `text`.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 1_usize;
    let closes = |(_, byte): &(usize, u8)| {
        open = match byte {
            b'{' => open + 1,
            b'}' => open - 1,
            _ => open,
        };
        open == 0
    };
    text.bytes().enumerate().find(closes).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_by_hand() {
        let long = "x".repeat(ANSWER_CHARS + 1);
        let cases = [
            (r"So \boxed{1}, no: \boxed{ \frac{3}{4} }.", Some(r"\frac{3}{4}")),
            (r"\boxed{\left\{1, 2\right\}}", Some(r"\left\{1, 2\right\}")),
            // The last one does not close: the one before it counts.
            ("\\boxed{5} and\n\\boxed{6", Some("5")),
            (" 42 ", Some("42")),
            (r"\boxed{}", Some(r"\boxed{}")),
            ("two\nlines", None),
            ("", None),
            (&long, None),
            (&long[1..], Some(&long[1..])),
        ];
        for (solution, answer) in cases {
            assert_eq!(super::answer(solution).as_deref(), answer, "{solution}");
        }
    }
}
