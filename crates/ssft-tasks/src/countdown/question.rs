//! A question: given numbers and a target.

use super::numbers::{MOST, Numbers};
use super::step::number;
use std::fmt;

/// Fewest given numbers.
const FEWEST: usize = 3;

/// A question, written `3,5,8=64:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// Three or four given numbers.
    pub(super) numbers: Numbers,
    /// The target.
    pub(super) target: u64,
}

impl Question {
    /// Parses `3,5,8=64:`, with the numbers in any order; `None` unless there are three or four numbers and a target, all
    /// canonical numerals from 1 to `u32::MAX`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (numbers, target) = text.strip_suffix(':')?.split_once('=')?;
        let numbers = numbers.split(',').take(MOST + 1).map(operand).collect::<Option<Vec<_>>>()?;
        let numbers = Numbers::new(&numbers).filter(|numbers| numbers.len() >= FEWEST)?;
        Some(Self { numbers, target: operand(target)? })
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<_> = self.numbers.as_slice().iter().map(u64::to_string).collect();
        write!(formatter, "{}={}:", numbers.join(","), self.target)
    }
}

fn operand(text: &str) -> Option<u64> {
    number(text).filter(|value| (1..=u64::from(u32::MAX)).contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_questions_round_trip() {
        for text in ["3,5,8=64:", "1,1,1,1=1:", "4294967295,4294967295,4294967295=4294967295:"] {
            assert_eq!(Question::parse(text).expect(text).to_string(), text);
        }
        assert_eq!(Question::parse("8,3,5=64:"), Question::parse("3,5,8=64:"));
    }

    #[test]
    fn malformed_questions_are_refused() {
        let too_long = format!("{}=1:", ["1"; 10_000].join(","));
        let too_large = format!("1,2,{}=1:", "9".repeat(10_000));
        let refused = [
            "",
            ":",
            "=:",
            "3,5,8=64",
            "3,5,8:",
            "3,5=8:",
            "1,2,3,4,5=6:",
            "3,5,8=0:",
            "0,5,8=64:",
            "03,5,8=64:",
            "3,5,8=+64:",
            "3, 5,8=64:",
            " 3,5,8=64:",
            "3,5,,8=64:",
            "3,5,8=64:=",
            "3,5,4294967296=64:",
            "3,5,٣=64:",
            &too_long,
            &too_large,
        ];
        for text in refused {
            assert_eq!(Question::parse(text), None, "{text}");
        }
    }
}
