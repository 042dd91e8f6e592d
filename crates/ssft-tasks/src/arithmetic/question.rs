//! A question: two operands and an operator.

use std::fmt;

/// The operator of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operator {
    /// `+`
    Add,
    /// `*`
    Multiply,
}

impl Operator {
    /// The character of the operator.
    pub(super) fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Multiply => '*',
        }
    }

    /// The value of `left operator right`. Operands of at most `u32::MAX` never overflow.
    pub(super) fn apply(self, left: u64, right: u64) -> u64 {
        match self {
            Self::Add => left + right,
            Self::Multiply => left * right,
        }
    }
}

/// A question, written `left operator right =` without spaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// First operand.
    pub(super) left: u32,
    /// Operator.
    pub(super) operator: Operator,
    /// Second operand.
    pub(super) right: u32,
}

impl Question {
    /// Parses `347+285=`; `None` unless both operands are canonical numerals of at most `u32::MAX`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let body = text.strip_suffix('=')?;
        [Operator::Add, Operator::Multiply].into_iter().find_map(|operator| {
            let (left, right) = body.split_once(operator.symbol())?;
            let (left, right) = (operand(left)?, operand(right)?);
            Some(Self { left, operator, right })
        })
    }

    /// The correct answer.
    pub(super) fn answer(&self) -> u64 {
        self.operator.apply(self.left.into(), self.right.into())
    }
}

impl fmt::Display for Question {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}{}=", self.left, self.operator.symbol(), self.right)
    }
}

/// Whether `text` is a canonical decimal numeral: digits only, no leading zero.
pub(super) fn is_canonical(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'))
}

fn operand(text: &str) -> Option<u32> {
    is_canonical(text).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_formed_questions_round_trip() {
        for text in ["347+285=", "47*6=", "0+0=", "4294967295*4294967295="] {
            let question = Question::parse(text).expect(text);
            assert_eq!(question.to_string(), text);
        }
    }

    #[test]
    fn malformed_questions_are_refused() {
        let too_long = format!("{}+1=", "9".repeat(10_000));
        let refused = [
            "",
            "=",
            "347+285",
            "347-285=",
            "347+285==",
            " 347+285=",
            "347 + 285=",
            "0347+285=",
            "+347+285=",
            "347+=",
            "1+2+3=",
            "1+2*3=",
            "4294967296+1=",
            "٣+4=",
            &too_long,
        ];
        for text in refused {
            assert_eq!(Question::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_largest_operands_do_not_overflow() {
        let question = Question { left: u32::MAX, operator: Operator::Multiply, right: u32::MAX };
        assert_eq!(question.answer(), 18_446_744_065_119_617_025);
    }
}
