//! One spelling for expressions that differ in the order and grouping of sums and products only.

use super::expression::Expression;
use super::step::Operator;
use std::cmp::Reverse;

/// An expression with its chains of `+ -` and of `* /` flattened and sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Canonical {
    /// The positive integer it comes to, if it does; each chain is worked out with all additions before
    /// the first subtraction, all multiplications before the first division.
    pub(super) value: Option<u64>,
    /// The spelling: `(8+5)*3` for `3*(5+8)`.
    pub(super) text: String,
}

impl Canonical {
    /// The canonical form of `expression`.
    pub(super) fn new(expression: &Expression) -> Self {
        match expression {
            Expression::Number(value) => Self { value: Some(*value), text: value.to_string() },
            Expression::Operation(_, operator, _) => Chain::of(expression, *operator).canonical(),
        }
    }
}

/// A chain of operands that are added and subtracted, or multiplied and divided.
struct Chain {
    /// `+` or `*`.
    operator: Operator,
    /// Its operands.
    forth: Vec<Canonical>,
    /// Those of `-` or `/`.
    back: Vec<Canonical>,
}

impl Chain {
    fn of(expression: &Expression, operator: Operator) -> Self {
        let mut chain = Self { operator: commuting(operator), forth: Vec::new(), back: Vec::new() };
        chain.add(expression, true);
        for side in [&mut chain.forth, &mut chain.back] {
            side.sort_by(|one, other| {
                Reverse(one.value).cmp(&Reverse(other.value)).then_with(|| one.text.cmp(&other.text))
            });
        }
        chain
    }

    /// Adds an operand, or the operands of a chain of the same kind: `a-(b-c)` is `a-b+c`.
    fn add(&mut self, expression: &Expression, is_forth: bool) {
        match expression {
            Expression::Operation(left, operator, right) if commuting(*operator) == self.operator => {
                self.add(left, is_forth);
                self.add(right, is_forth == operator.commutes());
            }
            operand => {
                let mut canonical = Canonical::new(operand);
                if self.operator == Operator::Multiply && matches!(operand, Expression::Operation(..)) {
                    canonical.text = format!("({})", canonical.text);
                }
                let side = if is_forth { &mut self.forth } else { &mut self.back };
                side.push(canonical);
            }
        }
    }

    fn canonical(self) -> Canonical {
        let (one, back) = match self.operator {
            Operator::Multiply => (1, Operator::Divide),
            _ => (0, Operator::Subtract),
        };
        let total = |side: &[Canonical]| {
            side.iter().try_fold(one, |total, operand| match self.operator {
                Operator::Multiply => operand.value?.checked_mul(total),
                _ => operand.value?.checked_add(total),
            })
        };
        let (forth, backwards) = (total(&self.forth), total(&self.back));
        let value = forth.zip(backwards).and_then(|(forth, backwards)| back.apply(forth, backwards));
        let join = |side: &[Canonical], symbol: char| {
            side.iter().map(|operand| format!("{symbol}{}", operand.text)).collect::<String>()
        };
        let text = join(&self.forth, self.operator.symbol()) + &join(&self.back, back.symbol());
        // The first operand of a chain is never taken away, so a `+` or `*` leads.
        Canonical { value, text: text[1..].to_owned() }
    }
}

/// `+` for `+ -`, `*` for `* /`.
fn commuting(operator: Operator) -> Operator {
    match operator {
        Operator::Add | Operator::Subtract => Operator::Add,
        Operator::Multiply | Operator::Divide => Operator::Multiply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> (String, Option<u64>) {
        let canonical = Canonical::new(&Expression::parse(text).expect(text));
        (canonical.text, canonical.value)
    }

    /// Spellings, the canonical one first, and the value.
    const BY_HAND: [(&[&str], Option<u64>); 16] = [
        (&["7"], Some(7)),
        (&["(5+3)*8", "8*(5+3)", "8*(3+5)", "((3+5))*8"], Some(64)),
        (&["8+5+3", "3+5+8", "5+(8+3)", "(3+5)+8"], Some(16)),
        (&["8+5-3", "8-3+5", "5-(3-8)", "8-(3-5)", "5+(8-3)"], Some(10)),
        (&["8-5-3+0", "8+0-5-3"], None),
        (&["13-8-3", "13-(8+3)", "13-3-8", "13-(3+8)"], Some(2)),
        (&["8*6/4", "6/4*8", "8/4*6", "6*(8/4)", "8/(4/6)"], Some(12)),
        (&["24/4/2", "24/(2*4)", "24/2/4"], Some(3)),
        (&["8*5+3", "3+5*8", "3+8*5"], Some(43)),
        (&["(8-5)*3", "3*(8-5)"], Some(9)),
        (&["8*5-6/2", "5*8-6/2"], Some(37)),
        (&["6*5*(4+2)", "(2+4)*5*6", "5*((4+2)*6)"], Some(180)),
        (&["8*(5-3)*2", "2*(8*(5-3))"], Some(32)),
        (&["5-8"], None),
        (&["8/3"], None),
        (&["18446744073709551615*2"], None),
    ];

    #[test]
    fn spellings_of_one_answer_become_one() {
        for (spellings, value) in BY_HAND {
            // The sort order decides which spelling that is; by hand only where it is plain.
            let expected = canonical(spellings[0]);
            for spelling in spellings {
                assert_eq!(canonical(spelling), expected, "{spelling}");
            }
            assert_eq!(expected.1, value, "{spellings:?}");
        }
    }

    #[test]
    fn larger_operands_come_first() {
        for (text, expected) in [
            ("8*(3+5)", "(5+3)*8"),
            ("3+8*5", "8*5+3"),
            ("2*3+10", "10+3*2"),
            ("6*(2+5)/3", "(5+2)*6/3"),
            ("8-(5-3)", "8+3-5"),
            ("1+(2-9)", "2+1-9"),
        ] {
            assert_eq!(canonical(text).0, expected, "{text}");
        }
    }

    #[test]
    fn a_canonical_form_is_its_own() {
        for (spellings, value) in BY_HAND {
            let (text, _) = canonical(spellings[0]);
            assert_eq!(canonical(&text), (text.clone(), value));
        }
    }

    #[test]
    fn answers_that_differ_stay_apart() {
        let distinct = ["8*5+3", "8*(5+3)", "8+5*3", "8-5+3", "8-(5+3)", "8/4*2", "8/(4*2)", "8*(4/2)+1"];
        let forms: std::collections::HashSet<_> = distinct.into_iter().map(canonical).collect();
        assert_eq!(forms.len(), distinct.len());
    }
}
