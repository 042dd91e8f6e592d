//! Verification of a trace: the claimed expression is evaluated, the steps are checked.

use super::canonical::Canonical;
use super::expression::Expression;
use super::numbers::Numbers;
use super::question::Question;
use super::step::{Direction, GROUP_END, STEP_END, Step, parse};
use crate::claim::split_answer;
use crate::task::Verdict;

/// Checks `trace` against `question`. Both checks fail for a malformed question.
pub(super) fn verdict(question: &str, trace: &str) -> Verdict {
    let question = Question::parse(question);
    let (steps, claim) = split_answer(trace);
    let claimed = claim.and_then(Expression::parse);
    let canonical = claimed.as_ref().map(Canonical::new);
    let answer_correct = match (&question, &claimed, &canonical) {
        (Some(question), Some(claimed), Some(canonical)) => {
            let used = Numbers::new(&claimed.numbers());
            used == Some(question.numbers) && canonical.value == Some(question.target)
        }
        _ => false,
    };
    Verdict {
        answer: canonical.map(|canonical| canonical.text).or(claim.map(str::to_owned)),
        answer_correct,
        steps_correct: answer_correct && question.is_some_and(|question| reaches_target(&question, steps)),
    }
}

/// Whether the steps are true, use available numbers only, and reach the target in one of the three layouts.
fn reaches_target(question: &Question, steps: &str) -> bool {
    let steps_of = |group: &str| group.split(STEP_END).map(parse).collect::<Option<Vec<_>>>();
    let Some(groups) = steps.split(GROUP_END).map(steps_of).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let Some(direction) = groups.first().and_then(|group| group.first()).map(|(direction, _)| *direction)
    else {
        return false;
    };
    let is_true = |(own, step): &(Direction, Step)| *own == direction && step.is_true();
    if !groups.iter().flatten().all(is_true) {
        return false;
    }
    let groups: Vec<Vec<_>> =
        groups.into_iter().map(|group| group.into_iter().map(|(_, step)| step).collect()).collect();
    match direction {
        Direction::Forward => as_attempts(question, &groups) || as_beam(question, &groups),
        Direction::Backward => as_undoings(question, &groups),
    }
}

/// Layout of `sum` and `factor`: each group starts with the given numbers; the last group leaves only the target.
fn as_attempts(question: &Question, groups: &[Vec<Step>]) -> bool {
    let mut last = None;
    for group in groups {
        let start = Some(question.numbers);
        last = group.iter().fold(start, |left, step| left?.replace(step.left, step.right, step.result));
        if last.is_none() {
            return false;
        }
    }
    last.and_then(|left| left.single()) == Some(question.target)
}

/// Layout of `beam`: each group is a level, and each of its steps extends a state of the previous level. The last level,
/// whose states have one number, ends with the target.
fn as_beam(question: &Question, groups: &[Vec<Step>]) -> bool {
    if groups.len() != question.numbers.len() - 1 {
        return false;
    }
    let mut states = vec![question.numbers];
    for group in groups {
        let mut next = Vec::new();
        for step in group {
            let mut fits = false;
            for left in states.iter().filter_map(|state| state.replace(step.left, step.right, step.result)) {
                fits = true;
                if !next.contains(&left) {
                    next.push(left);
                }
            }
            if !fits {
                return false;
            }
        }
        states = next;
    }
    groups.last().and_then(|group| group.last()).is_some_and(|step| step.result == question.target)
}

/// Layout of `backward`: each group starts with the target; each step splits the open number into a given number and the
/// next open number, the last step into two given numbers. The last group uses all given numbers.
fn as_undoings(question: &Question, groups: &[Vec<Step>]) -> bool {
    let mut last = Vec::new();
    for group in groups {
        last = group.iter().fold(vec![(question.target, question.numbers)], |states, step| {
            states.iter().flat_map(|state| undone(state, step)).collect()
        });
        if last.is_empty() {
            return false;
        }
    }
    last.iter().any(|(_, left)| left.len() == 0)
}

/// The states after `step`, from an open number and the given numbers left for it. There are two if both operands are
/// given numbers.
fn undone((open, left): &(u64, Numbers), step: &Step) -> Vec<(u64, Numbers)> {
    if step.result != *open {
        return Vec::new();
    }
    let splits = [(step.left, step.right), (step.right, step.left)].into_iter();
    match left.len() {
        0 | 1 => Vec::new(),
        2 => left
            .without(step.left)
            .and_then(|left| left.without(step.right))
            .map(|left| (0, left))
            .into_iter()
            .collect(),
        _ => splits.filter_map(|(given, open)| Some((open, left.without(given)?))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Question, trace, canonical answer, answer correct, steps correct.
    const BY_HAND: [(&str, &str, Option<&str>, bool, bool); 30] = [
        ("3,5,8=64:", "5+3=8,8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, true),
        ("8,5,3=64:", "5+3=8,8*8=64 #### 8*(3+5)", Some("(5+3)*8"), true, true),
        ("3,5,8=64:", "8-5=3,3*3=9;5+3=8,8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, true),
        // A beam that left out a step, and one that goes on from a state it does not have.
        ("3,5,8=64:", "5+3=8,8*5=40;8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, true),
        ("3,5,8=64:", "8*3=24,8*5=40;8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "5+3=8,8*5=40,8*3=24;8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, true),
        ("3,5,8=64:", "64=8*8,8=5+3 #### (5+3)*8", Some("(5+3)*8"), true, true),
        ("3,5,8=64:", "64=59+5;64=8*8,8=3+5 #### (5+3)*8", Some("(5+3)*8"), true, true),
        ("3,5,8=64:", "64=8*8,8=5+3;64=59+5 #### (5+3)*8", Some("(5+3)*8"), true, false),
        // A false equation, a number that is not there, one used twice, a sum of both directions.
        ("3,5,8=64:", "5+3=9,8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "5+4=9,8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "8*8=64 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "5+3=8,64=8*8 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "5+3=8 #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "5+3=8,8*8=64; #### (5+3)*8", Some("(5+3)*8"), true, false),
        ("3,5,8=64:", "#### (5+3)*8", Some("(5+3)*8"), true, false),
        // Wrong claims.
        ("3,5,8=64:", "5+3=8,8*8=64 #### 5+3*8", Some("8*3+5"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 #### 8*8", Some("8*8"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 #### 64", Some("64"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 #### (5+3)*8*1", Some("(5+3)*8*1"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 #### (5+3)*8=64", Some("(5+3)*8=64"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 #### (5 + 3)*8", Some("(5 + 3)*8"), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64 ####  ", Some(""), false, false),
        ("3,5,8=64:", "5+3=8,8*8=64", None, false, false),
        ("3,5,8=64:", "#### (5+3)*8 #### 5", Some("5"), false, false),
        ("3,5,8=65:", "5+3=8,8*8=64 #### (5+3)*8", Some("(5+3)*8"), false, false),
        // Divisions are exact.
        ("2,5,8=20:", "8/2=4,5*4=20 #### 5*8/2", Some("8*5/2"), true, true),
        ("2,5,8=1:", "5/2=2,8/2=4 #### 8/5-2", Some("8/5-2"), false, false),
        ("2,2,3,8=13:", "8/2=4;8+2=10,10+3=13,2+2=4 #### 8+2+3", Some("8+3+2"), false, false),
        ("3,5=8:", "5+3=8 #### 5+3", Some("5+3"), false, false),
    ];

    #[test]
    fn verdicts_equal_those_found_by_hand() {
        for (question, trace, answer, answer_correct, steps_correct) in BY_HAND {
            let verdict = verdict(question, trace);
            assert_eq!(verdict.answer.as_deref(), answer, "{trace}");
            assert_eq!(verdict.answer_correct, answer_correct, "answer of {trace}");
            assert_eq!(verdict.steps_correct, steps_correct, "steps of {trace}");
        }
    }

    #[test]
    fn four_numbers_may_be_combined_in_pairs() {
        let trace = "4+2=6,8-3=5,6*5=30 #### (4+2)*(8-3)";
        assert!(verdict("2,3,4,8=30:", trace).steps_correct);
        // Undone one given number at a time, so not from pairs.
        assert!(!verdict("2,3,4,8=30:", "30=6*5,6=4+2,5=8-3 #### (4+2)*(8-3)").steps_correct);
    }

    #[test]
    fn huge_and_deep_claims_are_false_and_do_not_panic() {
        let digits = "9".repeat(10_000);
        let deep = format!("{}8{}", "(".repeat(100_000), ")".repeat(100_000));
        let long = ["8"; 100_000].join("*");
        let steps = ["5+3=8"; 50_000].join(",");
        for claim in [&digits, &deep, &long, &format!("{}*8*8", u64::MAX)] {
            for steps in [&steps, &digits, &steps.replace(',', ";")] {
                let verdict = verdict("3,5,8=64:", &format!("{steps} #### {claim}"));
                assert!(!verdict.answer_correct && !verdict.steps_correct);
            }
        }
    }
}
