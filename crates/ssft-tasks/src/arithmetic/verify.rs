//! Verification of a trace: the answer is recomputed, the steps are checked.

use super::question::{Operator, Question};
use super::step::{STEP_END, Step};
use crate::claim::split_answer;
use crate::task::Verdict;

/// Checks `trace` against the recomputed answer of `question`. Both checks fail for a malformed question.
pub(super) fn verdict(question: &str, trace: &str) -> Verdict {
    let question = Question::parse(question);
    let (steps, claim) = split_answer(trace);
    let answer_correct =
        question.is_some_and(|question| claim.is_some_and(|claim| claim == question.answer().to_string()));
    Verdict {
        answer: claim.map(str::to_owned),
        answer_correct,
        steps_correct: question.is_some_and(|question| all_true(&question, steps)),
    }
}

/// Whether every step is true; false without steps.
fn all_true(question: &Question, steps: &str) -> bool {
    let mut expected_sums = bare_sums(question).into_iter();
    steps.split(STEP_END).all(|text| {
        Step::parse(text).is_some_and(|step| {
            if step.sides.len() == 1 {
                is_bare_sum_of(&step, expected_sums.next())
            } else {
                is_equality(&step)
            }
        })
    })
}

/// Required values of the sums without `=`, in order: each operand of several digits, then the answer.
fn bare_sums(question: &Question) -> Vec<i128> {
    let (left, right) = (i128::from(question.left), i128::from(question.right));
    let answer = i128::from(question.answer());
    match question.operator {
        Operator::Add => vec![left, right, answer],
        Operator::Multiply => vec![left, answer],
    }
}

/// Whether the step is a sum of at least two numbers with the value `expected`.
fn is_bare_sum_of(step: &Step<'_>, expected: Option<i128>) -> bool {
    let side = &step.sides[0];
    let numbers_only = side.terms.iter().all(|term| term.factors.len() == 1);
    let is_sum = side.terms.len() > 1 && numbers_only && !side.subtracts();
    is_sum && expected.is_some() && side.value() == expected
}

/// Whether all sides have the same value.
fn is_equality(step: &Step<'_>) -> bool {
    let value = step.sides[0].value();
    value.is_some() && step.sides.iter().all(|side| side.value() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Question, trace, answer correct, steps correct.
    const BY_HAND: [(&str, &str, bool, bool); 26] = [
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6 #### 632", true, true),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6 #### 633", false, true),
        ("347+285=", "7+5=13;4+8+1=13;3+2+1=6 #### 632", true, false),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6 #### 0632", false, true),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6 #### +632", false, true),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6 #### 632 632", false, true),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6", false, true),
        ("347+285=", "7+5=12;4+8+1=13;3+2+1=6;", false, false),
        ("347+285=", "7+5=012 #### 632", true, false),
        ("347+285=", "#### 632", true, false),
        ("347+285=", "", false, false),
        ("347+285=", "7+5=12 #### 1 #### 632", true, false),
        ("347+285=", "300+40+7;200+80+5;500+120+12 #### 632", true, true),
        ("347+285=", "300+40+7;200+80+5;500+120+13 #### 632", true, false),
        ("347+285=", "300+40+8;200+80+5;500+120+12 #### 632", true, false),
        ("347+285=", "200+80+5;300+40+7;500+120+12 #### 632", true, false),
        ("347+285=", "300+40+7;200+80+5;500+120+12;500+120+12 #### 632", true, false),
        ("347+285=", "347;285;632 #### 632", true, false),
        ("347+285=", "347*1+0 #### 632", true, false),
        ("347+285=", "400-53 #### 632", true, false),
        ("47*6=", "40+7;240+42 #### 282", true, true),
        ("47*6=", "40+7;240+48 #### 288", false, false),
        ("47*6=", "47=50-3;50*6-3*6=300-18=282 #### 282", true, true),
        ("47*6=", "47=50-3;50*6-3*6=300-18=281 #### 282", true, false),
        ("47*6=", "47=50-3;50*6-3*6=300-19=282 #### 282", true, false),
        ("47-6=", "47-6=41 #### 41", false, false),
    ];

    #[test]
    fn verdicts_equal_those_found_by_hand() {
        for (question, trace, answer_correct, steps_correct) in BY_HAND {
            let verdict = verdict(question, trace);
            assert_eq!(verdict.answer_correct, answer_correct, "answer of {trace}");
            assert_eq!(verdict.steps_correct, steps_correct, "steps of {trace}");
        }
    }

    #[test]
    fn the_claim_is_what_follows_the_last_mark() {
        assert_eq!(verdict("1+2=", "x #### 4 #### 3 ").answer.as_deref(), Some("3"));
        assert_eq!(verdict("1+2=", "x ####").answer.as_deref(), Some(""));
        assert_eq!(verdict("1+2=", "1+2=3").answer, None);
    }

    #[test]
    fn numbers_of_ten_thousand_digits_are_false_and_do_not_panic() {
        let huge = "9".repeat(10_000);
        let verdict = verdict("1+2=", &format!("{huge}={huge} #### {huge}"));
        assert!(!verdict.answer_correct && !verdict.steps_correct);
    }
}
