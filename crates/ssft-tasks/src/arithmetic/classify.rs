//! Classification of a trace by the form of its steps.
//!
//! | form | in a sum `a+b=` | in a product `a*b=` |
//! |---|---|---|
//! | `lsb` | `d+d=n`, `d+d+n=n` | `d*d=n`, `d*d+n=n` |
//! | `msb` | first `P+P=n`, then `R+p+p=n` | first `P*d=n`, then `R+p*d=n` |
//! | `place` | `R+n...` without `=` | the same |
//! | `round` | first `n=n-n`, then `n+n-n=...` | first `n=n-n`, then `n*n-n*n=...` |
//!
//! n: any number; d: one digit; p: a digit, then only zeros; P: p with at least one zero; R: at least two digits, the
//! last a zero. The forms are mutually exclusive. Order and number of steps are ignored, since a weak model repeats and
//! drops steps.

use super::question::{Operator, Question};
use super::step::{STEP_END, Side, Sign, Step};
use super::strategies::Approach;
use crate::claim::split_answer;
use crate::task::Strategy;

/// The class of `trace`; see the table of this module.
pub(super) fn strategy(question: &str, trace: &str) -> Strategy {
    let Some(question) = Question::parse(question) else {
        return Strategy::Other;
    };
    let forms: Option<Vec<_>> = forms(question.operator, trace).into_iter().collect();
    match forms.as_deref() {
        None | Some([]) => Strategy::Other,
        Some([first, rest @ ..]) if rest.iter().all(|form| form == first) => Strategy::Named(first.index()),
        Some(_) => Strategy::Chimera,
    }
}

/// The form of each step. Without an answer mark the last step is ignored if it may be cut off: `500+40+8` is a sum
/// without `=` or the start of an equation.
fn forms(operator: Operator, trace: &str) -> Vec<Option<Approach>> {
    let (steps, claim) = split_answer(trace);
    let steps: Vec<_> = steps.split(STEP_END).collect();
    let mut forms: Vec<_> = steps.iter().map(|step| form(operator, step)).collect();
    let looks_cut_off = forms.ends_with(&[None]) || steps.last().is_some_and(|step| !step.contains('='));
    if claim.is_none() && looks_cut_off && forms.len() > 1 {
        forms.pop();
    }
    forms
}

/// The strategy whose form a step has, if any.
fn form(operator: Operator, step: &str) -> Option<Approach> {
    let step = Step::parse(step)?;
    match step.sides.as_slice() {
        sides if step.subtracts() => is_rounding(operator, sides).then_some(Approach::Rounding),
        [sum] => is_by_place(sum).then_some(Approach::ByPlace),
        [left, result] if is_number(result) => {
            let terms = factors_by_term(left);
            let least_first = is_least_first(operator, &terms).then_some(Approach::LeastFirst);
            least_first.or_else(|| is_most_first(operator, &terms).then_some(Approach::MostFirst))
        }
        _ => None,
    }
}

fn is_least_first(operator: Operator, terms: &[&[&str]]) -> bool {
    match (operator, terms) {
        (Operator::Add, [[left], [right]] | [[left], [right], [_]])
        | (Operator::Multiply, [[left, right]] | [[left, right], [_]]) => is_digit(left) && is_digit(right),
        _ => false,
    }
}

fn is_most_first(operator: Operator, terms: &[&[&str]]) -> bool {
    match (operator, terms) {
        (Operator::Add, [[left], [right]]) => is_high_place(left) && is_high_place(right),
        (Operator::Add, [[total], [left], [right]]) => is_round(total) && is_place(left) && is_place(right),
        (Operator::Multiply, [[left, right]]) => is_high_place(left) && is_digit(right),
        (Operator::Multiply, [[total], [left, right]]) => {
            is_round(total) && is_place(left) && is_digit(right)
        }
        _ => false,
    }
}

fn is_by_place(sum: &Side<'_>) -> bool {
    match factors_by_term(sum).as_slice() {
        [[first], rest @ ..] => {
            is_round(first) && !rest.is_empty() && rest.iter().all(|factors| factors.len() == 1)
        }
        _ => false,
    }
}

fn is_rounding(operator: Operator, sides: &[Side<'_>]) -> bool {
    match (operator, sides) {
        (_, [operand, difference]) if is_number(operand) => is_difference(difference, &[1, 1]),
        (Operator::Add, [rounded, _, ..]) => is_difference(rounded, &[1, 1, 1]),
        (Operator::Multiply, [rounded, _, ..]) => is_difference(rounded, &[2, 2]),
        _ => false,
    }
}

/// Whether the terms of the side have these numbers of factors, and only the last term is subtracted.
fn is_difference(side: &Side<'_>, factors: &[usize]) -> bool {
    let last = factors.len() - 1;
    let is_expected = |(at, sign): (usize, Sign)| (sign == Sign::Minus) == (at == last);
    let subtracts_last_only = side.terms.iter().map(|term| term.sign).enumerate().all(is_expected);
    side.terms.iter().map(|term| term.factors.len()).eq(factors.iter().copied()) && subtracts_last_only
}

fn factors_by_term<'s, 't>(side: &'s Side<'t>) -> Vec<&'s [&'t str]> {
    side.terms.iter().map(|term| term.factors.as_slice()).collect()
}

fn is_number(side: &Side<'_>) -> bool {
    matches!(factors_by_term(side).as_slice(), [[_]])
}

/// Shape d.
fn is_digit(number: &str) -> bool {
    number.len() == 1
}

/// Shape p.
fn is_place(number: &str) -> bool {
    number.get(1..).is_some_and(|rest| rest.bytes().all(|digit| digit == b'0'))
}

/// Shape P.
fn is_high_place(number: &str) -> bool {
    number.len() > 1 && is_place(number)
}

/// Shape R.
fn is_round(number: &str) -> bool {
    number.len() > 1 && number.ends_with('0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use Strategy::{Chimera, Named, Other};

    /// Question, trace, strategy; indices as in `NAMES`: 0 lsb, 1 msb, 2 place, 3 round.
    const BY_HAND: [(&str, &str, Strategy); 39] = [
        // Right forms with wrong numbers.
        ("347+285=", "7+5=13;4+8+1=23;3+2+2=1 #### 9", Named(0)),
        ("347+285=", "7+5=12;4+8+11=23;3+2+2=7 #### 723", Named(0)),
        ("347+285=", "300+200=600;600+40+80=610;610+7+5=0 #### 0", Named(1)),
        ("347+285=", "400+200=600;610+40+80=730;730+7+5=742 #### 742", Named(1)),
        ("347+285=", "300+40+9;200+80+5;500+130+19 #### 0", Named(2)),
        ("347+285=", "285=300-25;347+300-15=547-15=0 #### 0", Named(3)),
        ("347+285=", "286=310-25;347+300-15=632 #### 632", Named(3)),
        ("47*6=", "7*6=48;4*6+5=20 #### 208", Named(0)),
        ("47*6=", "40*6=280;280+7*6=300 #### 300", Named(1)),
        ("47*6=", "40+8;250+44 #### 1", Named(2)),
        ("47*6=", "47=60-3;50*6-3*6=310-19=7 #### 7", Named(3)),
        // Steps dropped, repeated or added.
        ("347+285=", "7+5=12 #### 12", Named(0)),
        ("347+285=", "7+5=12;7+5=12;7+5=12;7+5=12 #### 12", Named(0)),
        ("347+285=", "300+40+7 #### 347", Named(2)),
        ("347+285=", "285=300-15 #### 632", Named(3)),
        // One strategy, then another.
        ("347+285=", "7+5=12;300+200=500;500+40+80=620 #### 632", Chimera),
        ("347+285=", "300+40+7;200+80+5;7+5=12;4+8+1=13;3+2+1=6 #### 632", Chimera),
        ("347+285=", "285=300-15;300+200=500 #### 500", Chimera),
        ("347+285=", "300+200=500;500+40+80=620;7+5=12 #### 632", Chimera),
        ("47*6=", "7*6=42;240+7*6=282 #### 282", Chimera),
        ("47*6=", "40+7;40*6=240;240+7*6=282 #### 282", Chimera),
        ("47*6=", "47=50-3;240+42 #### 282", Chimera),
        // No mark, so the end may be missing.
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6", Named(0)),
        ("347+285=", "7+5=12;4+8+1=13;3+2", Named(0)),
        ("347+285=", "300+200=500;500+40+8", Named(1)),
        ("347+285=", "300+40+7;200+80+5;", Named(2)),
        ("47*6=", "47=50-3;50*6-3*", Named(3)),
        ("347+285=", "7+5=12;300+200=500", Chimera),
        // Nothing to recognise.
        ("347+285=", "", Other),
        ("347+285=", "632", Other),
        ("347+285=", "#### 632", Other),
        ("347+285=", "347+285=632 #### 632", Other),
        ("347+285=", "7+5=12;? #### 632", Other),
        ("347+285=", "7+5=12; 4+8+1=13 #### 632", Other),
        ("347+285=", "7*5=35 #### 35", Other),
        ("347+285=", "7+5 #### 12", Other),
        ("347+285=", "347-285=62 #### 62", Other),
        ("47*6=", "47*6=282 #### 282", Other),
        ("47:6=", "7*6=42;4*6+4=28 #### 282", Other),
    ];

    #[test]
    fn classes_equal_those_found_by_hand() {
        for (question, trace, expected) in BY_HAND {
            assert_eq!(strategy(question, trace), expected, "{trace} of {question}");
        }
    }
}
