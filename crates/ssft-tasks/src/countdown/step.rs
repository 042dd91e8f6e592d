//! The grammar of the steps: `group (";" group)*` with `group = step ("," step)*`.
//!
//! ```text
//! step = number operator number "=" number     forward
//!      | number "=" number operator number     backward
//! ```
//!
//! Numbers are canonical decimal numerals that fit a `u64`.

/// Separator of groups (attempts, or levels of a beam).
pub(super) const GROUP_END: &str = ";";

/// Separator of the steps of a group.
pub(super) const STEP_END: &str = ",";

/// An operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Operator {
    /// `+`
    Add,
    /// `*`
    Multiply,
    /// `-`
    Subtract,
    /// `/`
    Divide,
}

impl Operator {
    /// All operators, in the order in which ties between steps are resolved.
    pub(super) const ALL: [Self; 4] = [Self::Add, Self::Multiply, Self::Subtract, Self::Divide];

    /// The character of the operator.
    pub(super) fn symbol(self) -> char {
        match self {
            Self::Add => '+',
            Self::Multiply => '*',
            Self::Subtract => '-',
            Self::Divide => '/',
        }
    }

    /// The operator with this character.
    pub(super) fn from_symbol(symbol: char) -> Option<Self> {
        Self::ALL.into_iter().find(|operator| operator.symbol() == symbol)
    }

    /// The value of `left operator right`; `None` unless it is a positive integer that fits a `u64`.
    pub(super) fn apply(self, left: u64, right: u64) -> Option<u64> {
        let value = match self {
            Self::Add => left.checked_add(right),
            Self::Multiply => left.checked_mul(right),
            Self::Subtract => left.checked_sub(right),
            Self::Divide => left.checked_rem(right).filter(|rest| *rest == 0).map(|_| left / right),
        };
        value.filter(|value| *value > 0)
    }

    /// Whether the operator is commutative.
    pub(super) fn commutes(self) -> bool {
        matches!(self, Self::Add | Self::Multiply)
    }
}

/// One equation of three numbers; it may be false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    /// First operand; in generated forward steps the larger one.
    pub(super) left: u64,
    /// Operator.
    pub(super) operator: Operator,
    /// Second operand.
    pub(super) right: u64,
    /// The number on the other side of `=`.
    pub(super) result: u64,
}

impl Step {
    /// The text of the step in forward strategies: `5+3=8`.
    pub(super) fn forward(&self) -> String {
        format!("{}{}{}={}", self.left, self.operator.symbol(), self.right, self.result)
    }

    /// The text of the step in the backward strategy: `8=5+3`.
    pub(super) fn backward(&self) -> String {
        format!("{}={}{}{}", self.result, self.left, self.operator.symbol(), self.right)
    }

    /// Whether operands and operator equal those of `other`; results are ignored.
    pub(super) fn is_same_operation(&self, other: &Self) -> bool {
        (self.left, self.operator, self.right) == (other.left, other.operator, other.right)
    }

    /// Whether the equation is true.
    pub(super) fn is_true(&self) -> bool {
        self.operator.apply(self.left, self.right) == Some(self.result)
    }
}

/// The side of `=` with the operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// `5+3=8`
    Forward,
    /// `8=5+3`
    Backward,
}

/// Parses one step; `None` if it does not match the grammar.
pub(super) fn parse(text: &str) -> Option<(Direction, Step)> {
    let (before, behind) = text.split_once('=')?;
    let (direction, operation, result) = match (number(before), number(behind)) {
        (None, Some(result)) => (Direction::Forward, before, result),
        (Some(result), None) => (Direction::Backward, behind, result),
        _ => return None,
    };
    let at = operation.find(|byte| Operator::from_symbol(byte).is_some())?;
    // An operator is one byte long.
    let (left, right) = (number(&operation[..at])?, number(&operation[at + 1..])?);
    let operator = operation[at..].chars().next().and_then(Operator::from_symbol)?;
    Some((direction, Step { left, operator, right, result }))
}

/// The value of a canonical decimal numeral (digits only, no leading zero) that fits a `u64`.
pub(super) fn number(text: &str) -> Option<u64> {
    let is_canonical =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    is_canonical.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_positive_integers_count_as_values() {
        let value = |left, symbol, right| Operator::from_symbol(symbol).expect("known").apply(left, right);
        assert_eq!(value(8, '+', 5), Some(13));
        assert_eq!(value(8, '*', 5), Some(40));
        assert_eq!((value(8, '-', 5), value(5, '-', 5), value(5, '-', 8)), (Some(3), None, None));
        assert_eq!((value(8, '/', 4), value(8, '/', 3), value(4, '/', 8)), (Some(2), None, None));
        assert_eq!((value(8, '/', 0), value(0, '/', 8), value(0, '*', 8)), (None, None, None));
        assert_eq!((value(u64::MAX, '+', 1), value(u64::MAX, '*', 2)), (None, None));
    }

    #[test]
    fn steps_round_trip_in_both_directions() {
        for (text, direction) in [("5+3=8", Direction::Forward), ("64=8*8", Direction::Backward)] {
            let (read, step) = parse(text).expect(text);
            assert_eq!(read, direction);
            let written = if read == Direction::Forward { step.forward() } else { step.backward() };
            assert_eq!(written, text);
            assert!(step.is_true());
        }
        assert!(!parse("5-3=8").expect("a step").1.is_true());
    }

    #[test]
    fn text_outside_the_grammar_is_refused() {
        let huge = format!("{}+1=2", "9".repeat(10_000));
        let refused = ["", "=", "5+3", "8", "8=8", "5+3=", "=8", "5+3=4+4", "5+3=8=8", "5 +3=8", "5++3=8"];
        for text in refused.into_iter().chain(["+5=5", "5+=5", "05+3=8", "5+3+1=9", "٣+1=4", "5é3=8", &huge])
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
