//! Expressions over given numbers, parsed from a claim or built from steps.
//!
//! ```text
//! sum = product (("+" | "-") product)*     product = factor (("*" | "/") factor)*
//! factor = number | "(" sum ")"
//! ```

use super::numbers::Numbers;
use super::step::{Operator, Step, number};
use std::fmt;

/// Most numbers in a claim that is parsed; a question has at most four.
const MOST_NUMBERS: usize = 16;

/// Deepest nesting of parentheses in a claim that is parsed.
const MOST_NESTING: usize = 16;

/// An expression of bounded depth, so that recursion over it is safe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expression {
    /// A number.
    Number(u64),
    /// Two expressions combined.
    Operation(Box<Self>, Operator, Box<Self>),
}

impl Expression {
    /// Parses a claim; `None` if it does not match the grammar or exceeds a limit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text, numbers: 0 };
        let expression = reader.sum(0)?;
        reader.rest.is_empty().then_some(expression)
    }

    /// The expression that `steps`, in order of evaluation, build from `numbers`; `None` unless they use all numbers and
    /// leave one. Of equal numbers the most recent one is used first.
    pub(super) fn from_steps(numbers: &Numbers, steps: &[Step]) -> Option<Self> {
        let mut left: Vec<_> =
            numbers.as_slice().iter().map(|value| (*value, Self::Number(*value))).collect();
        for step in steps {
            let first = take(&mut left, step.left)?;
            let second = take(&mut left, step.right)?;
            let operation = Self::Operation(Box::new(first), step.operator, Box::new(second));
            left.push((step.result, operation));
        }
        let (_, last) = left.pop()?;
        left.is_empty().then_some(last)
    }

    /// The numbers, from left to right.
    pub(super) fn numbers(&self) -> Vec<u64> {
        match self {
            Self::Number(value) => vec![*value],
            Self::Operation(left, _, right) => [left.numbers(), right.numbers()].concat(),
        }
    }

    /// Binding strength: 0 for a sum, 1 for a product, 2 for a number.
    fn binding(&self) -> u8 {
        match self {
            Self::Number(_) => 2,
            Self::Operation(_, operator, _) => binding(*operator),
        }
    }
}

/// Removes and returns the most recent entry with this value.
fn take(left: &mut Vec<(u64, Expression)>, value: u64) -> Option<Expression> {
    let at = left.iter().rposition(|(known, _)| *known == value)?;
    Some(left.remove(at).1)
}

/// Binding strength of an operator: 0 for `+ -`, 1 for `* /`.
fn binding(operator: Operator) -> u8 {
    u8::from(matches!(operator, Operator::Multiply | Operator::Divide))
}

/// Writes parentheses only where the value needs them: `8-(5+3)` and `(5+3)*8`, but `8+5-3`.
impl fmt::Display for Expression {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Operation(left, operator, right) = self else {
            return if let Self::Number(value) = self { write!(formatter, "{value}") } else { Ok(()) };
        };
        let own = binding(*operator);
        // The right operand of `-` or `/` has to bind tighter than the operator.
        let needed = own + u8::from(!operator.commutes());
        write_operand(left, own, formatter)?;
        write!(formatter, "{}", operator.symbol())?;
        write_operand(right, needed, formatter)
    }
}

fn write_operand(operand: &Expression, needed: u8, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
    if operand.binding() < needed { write!(formatter, "({operand})") } else { write!(formatter, "{operand}") }
}

/// Recursive-descent parser.
struct Reader<'t> {
    rest: &'t str,
    /// Count of the numbers parsed so far.
    numbers: usize,
}

impl Reader<'_> {
    fn sum(&mut self, nesting: usize) -> Option<Expression> {
        self.chain(['+', '-'], |reader| reader.chain(['*', '/'], |reader| reader.factor(nesting)))
    }

    fn chain(
        &mut self,
        symbols: [char; 2],
        operand: impl Fn(&mut Self) -> Option<Expression>,
    ) -> Option<Expression> {
        let mut left = operand(self)?;
        while let Some(symbol) = self.rest.chars().next().filter(|symbol| symbols.contains(symbol)) {
            self.rest = &self.rest[1..];
            let right = operand(self)?;
            left = Expression::Operation(Box::new(left), Operator::from_symbol(symbol)?, Box::new(right));
        }
        Some(left)
    }

    fn factor(&mut self, nesting: usize) -> Option<Expression> {
        if let Some(rest) = self.rest.strip_prefix('(') {
            if nesting == MOST_NESTING {
                return None;
            }
            self.rest = rest;
            let inner = self.sum(nesting + 1)?;
            self.rest = self.rest.strip_prefix(')')?;
            return Some(inner);
        }
        self.numbers += 1;
        if self.numbers > MOST_NUMBERS {
            return None;
        }
        let end = self.rest.find(|byte: char| !byte.is_ascii_digit()).unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        self.rest = rest;
        number(digits).map(Expression::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parentheses_stand_where_the_value_needs_them() {
        for text in ["3", "8+5-3", "(5+3)*8", "8*5+3", "20-(5+8)", "40/(5-3)", "8/(4*2)", "8-5-3", "8/4/2"] {
            assert_eq!(Expression::parse(text).expect(text).to_string(), text);
        }
        for (text, shorter) in [
            ("((3))", "3"),
            ("(8+5)-3", "8+5-3"),
            ("8+(5-3)", "8+5-3"),
            ("8*(5*3)", "8*5*3"),
            ("(8*5)+3", "8*5+3"),
            ("8-(5*3)", "8-5*3"),
            ("8*(6/3)", "8*6/3"),
        ] {
            assert_eq!(Expression::parse(text).expect(text).to_string(), shorter);
        }
    }

    #[test]
    fn claims_outside_the_grammar_or_its_bounds_are_refused() {
        let nested = format!("{}1{}", "(".repeat(17), ")".repeat(17));
        let (open, long) = ("(".repeat(1_000_000), vec!["1"; 100_000].join("+"));
        let refused =
            ["", "+", "8+", "+8", "-8", "8 +5", "(8+5", "8+5)", "()", "8(5)", "08+5", "8**5", "8+٣"];
        for text in refused.into_iter().chain([nested.as_str(), &open, &long, "8=8", "é"]) {
            assert_eq!(Expression::parse(text), None);
        }
        assert!(Expression::parse(&nested[1..nested.len() - 1]).is_some());
    }

    #[test]
    fn of_equal_numbers_the_latest_is_used_first() {
        let numbers = Numbers::new(&[3, 5, 8]).expect("three");
        let steps = ["5+3=8", "8*8=64"].map(|text| super::super::step::parse(text).expect(text).1);
        let built = Expression::from_steps(&numbers, &steps).expect("all used");
        assert_eq!((built.to_string().as_str(), built.numbers()), ("(5+3)*8", vec![5, 3, 8]));
        assert_eq!(Expression::from_steps(&numbers, &steps[..1]), None, "8 is left over");
        assert_eq!(Expression::from_steps(&numbers, &steps[1..]), None, "one 8 is not two");
    }
}
