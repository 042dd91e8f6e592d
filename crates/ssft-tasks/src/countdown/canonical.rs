//! Canonical form of expressions: equal for expressions that differ only in the order and grouping of sums and
//! products.

use super::expression::Expression;
use super::step::Operator;
use std::cmp::Reverse;

/// An expression with its chains of `+ -` and of `* /` flattened and sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Canonical {
    /// The value, if all intermediate results are positive integers; each chain is evaluated with all additions before
    /// the first subtraction, all multiplications before the first division.
    pub(super) value: Option<u64>,
    /// The text, for example `(8+5)*3` for `3*(5+8)`.
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
    /// Operands that are added or multiplied.
    direct: Vec<Canonical>,
    /// Operands that are subtracted or divided by.
    inverse: Vec<Canonical>,
}

/// How an operand enters its chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Added or multiplied.
    Direct,
    /// Subtracted or divided by.
    Inverse,
}

impl Role {
    /// The role of the right operand of `operator`, where the left one has this role.
    fn behind(self, operator: Operator) -> Self {
        match (self, operator.commutes()) {
            (role, true) => role,
            (Self::Direct, false) => Self::Inverse,
            (Self::Inverse, false) => Self::Direct,
        }
    }
}

impl Chain {
    fn of(expression: &Expression, operator: Operator) -> Self {
        let mut chain = Self { operator: commuting(operator), direct: Vec::new(), inverse: Vec::new() };
        chain.add(expression, Role::Direct);
        for side in [&mut chain.direct, &mut chain.inverse] {
            side.sort_by(|one, other| {
                Reverse(one.value).cmp(&Reverse(other.value)).then_with(|| one.text.cmp(&other.text))
            });
        }
        chain
    }

    /// Adds an operand, or all operands of a chain of the same kind: `a-(b-c)` is `a-b+c`.
    fn add(&mut self, expression: &Expression, role: Role) {
        match expression {
            Expression::Operation(left, operator, right) if commuting(*operator) == self.operator => {
                self.add(left, role);
                self.add(right, role.behind(*operator));
            }
            operand => {
                let mut canonical = Canonical::new(operand);
                if self.operator == Operator::Multiply && matches!(operand, Expression::Operation(..)) {
                    canonical.text = format!("({})", canonical.text);
                }
                match role {
                    Role::Direct => self.direct.push(canonical),
                    Role::Inverse => self.inverse.push(canonical),
                }
            }
        }
    }

    fn canonical(self) -> Canonical {
        let (neutral, inverse) = match self.operator {
            Operator::Multiply => (1, Operator::Divide),
            _ => (0, Operator::Subtract),
        };
        let total = |side: &[Canonical]| {
            side.iter().try_fold(neutral, |total, operand| match self.operator {
                Operator::Multiply => operand.value?.checked_mul(total),
                _ => operand.value?.checked_add(total),
            })
        };
        let totals = total(&self.direct).zip(total(&self.inverse));
        let value = totals.and_then(|(left, right)| inverse.apply(left, right));
        let join = |side: &[Canonical], symbol: char| {
            side.iter().map(|operand| format!("{symbol}{}", operand.text)).collect::<String>()
        };
        let text = join(&self.direct, self.operator.symbol()) + &join(&self.inverse, inverse.symbol());
        // The first operand of a chain is direct, so that the text starts with `+` or `*`.
        Canonical { value, text: text[1..].to_owned() }
    }
}

/// The commutative operator of a chain: `+` for `+ -`, `*` for `* /`.
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
            // The sort order determines the canonical spelling; `larger_operands_come_first` tests it.
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
