//! The grammar of a trace: `step (";" step)* " #### " answer`.
//!
//! ```text
//! step = side ("=" side)*      side = term (("+" | "-") term)*      term = number ("*" number)*
//! ```
//!
//! A number is any sequence of digits, since the form of a step does not depend on its values.

use super::question::is_canonical;

/// Separator of steps.
pub(super) const STEP_END: char = ';';

/// One step as the sides of its equation; a sum without `=` has one side.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step<'t> {
    /// At least one.
    pub(super) sides: Vec<Side<'t>>,
}

/// One side of an equation: terms with signs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Side<'t> {
    /// At least one; the first has no sign and counts as [`Sign::Plus`].
    pub(super) terms: Vec<Term<'t>>,
}

/// The sign in front of a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Plus,
    Minus,
}

/// A product of one or more numbers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Term<'t> {
    /// The sign.
    pub(super) sign: Sign,
    /// The digits of each factor, as written; at least one.
    pub(super) factors: Vec<&'t str>,
}

impl<'t> Step<'t> {
    /// Parses one step; `None` if it does not match the grammar.
    pub(super) fn parse(text: &'t str) -> Option<Self> {
        let sides = text.split('=').map(Side::parse).collect::<Option<_>>()?;
        Some(Self { sides })
    }

    /// Whether any side has a `-`.
    pub(super) fn subtracts(&self) -> bool {
        self.sides.iter().any(Side::subtracts)
    }
}

impl<'t> Side<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let mut terms = Vec::new();
        let (mut rest, mut sign) = (text, Sign::Plus);
        while let Some(end) = rest.find(['+', '-']) {
            terms.push(Term::parse(&rest[..end], sign)?);
            sign = if rest[end..].starts_with('-') { Sign::Minus } else { Sign::Plus };
            rest = &rest[end + 1..];
        }
        terms.push(Term::parse(rest, sign)?);
        Some(Self { terms })
    }

    /// Whether this side has a `-`.
    pub(super) fn subtracts(&self) -> bool {
        self.terms.iter().any(|term| term.sign == Sign::Minus)
    }

    /// The value; `None` if a number is not canonical or the computation overflows.
    pub(super) fn value(&self) -> Option<i128> {
        self.terms.iter().try_fold(0_i128, |total, term| {
            let value = term.value()?;
            match term.sign {
                Sign::Plus => total.checked_add(value),
                Sign::Minus => total.checked_sub(value),
            }
        })
    }
}

impl<'t> Term<'t> {
    fn parse(text: &'t str, sign: Sign) -> Option<Self> {
        let factors: Vec<_> = text.split('*').collect();
        let numbers_only = factors
            .iter()
            .all(|factor| !factor.is_empty() && factor.bytes().all(|byte| byte.is_ascii_digit()));
        numbers_only.then_some(Self { sign, factors })
    }

    fn value(&self) -> Option<i128> {
        self.factors.iter().try_fold(1_i128, |product, factor| {
            let value = is_canonical(factor).then(|| factor.parse().ok()).flatten()?;
            product.checked_mul(value)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Option<Vec<Option<i128>>> {
        Step::parse(text).map(|step| step.sides.iter().map(Side::value).collect())
    }

    #[test]
    fn products_bind_tighter_than_sums() {
        assert_eq!(values("240+7*6=282"), Some(vec![Some(282), Some(282)]));
        assert_eq!(values("50*6-3*6=300-18=282"), Some(vec![Some(282); 3]));
        assert_eq!(values("1-2-3"), Some(vec![Some(-4)]));
    }

    #[test]
    fn text_outside_the_grammar_is_refused() {
        for text in ["", "=", "1=", "=1", "+1", "1+", "1++2", "-1=2-3", "1 + 2", "2*", "1=2=", "a", "1+é"] {
            assert_eq!(values(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_without_a_value_still_have_a_form() {
        let huge = "9".repeat(10_000);
        assert_eq!(values(&huge), Some(vec![None]));
        assert_eq!(values("007+1"), Some(vec![None]));
        let product = ["99999999999999999999"; 3].join("*");
        assert_eq!(values(&product), Some(vec![None]));
    }
}
