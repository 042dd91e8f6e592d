//! Properties of single traces: each is correct and classified as its strategy; an error in a digit makes it incorrect
//! and keeps its class.

use crate::arithmetic::Arithmetic;
use crate::arithmetic::question::{Operator, Question};
use crate::arithmetic::strategies::Approach;
use crate::{Strategy as Class, Task};
use proptest::prelude::*;
use std::collections::HashSet;

/// Any question of any level.
fn questions() -> impl Strategy<Value = Question> {
    (2_u32..=5, any::<bool>()).prop_flat_map(|(digits, adds)| {
        let numbers = || 10_u32.pow(digits - 1)..10_u32.pow(digits);
        let rights = if adds { numbers() } else { 2..10 };
        let operator = if adds { Operator::Add } else { Operator::Multiply };
        (numbers(), rights).prop_map(move |(left, right)| Question { left, operator, right })
    })
}

fn approaches() -> impl Strategy<Value = Approach> {
    prop::sample::select(Approach::ALL.to_vec())
}

/// Strategies whose steps have a right-hand side.
fn equating_approaches() -> impl Strategy<Value = Approach> {
    prop::sample::select(vec![Approach::LeastFirst, Approach::MostFirst, Approach::Rounding])
}

/// Positions of the digits behind the first `=` of a step.
fn result_digits(trace: &str) -> Vec<usize> {
    let (mut in_result, mut positions) = (false, Vec::new());
    for (position, byte) in trace.bytes().enumerate() {
        match byte {
            b'=' => in_result = true,
            b';' | b' ' => in_result = false,
            _ if in_result && byte.is_ascii_digit() => positions.push(position),
            _ => {}
        }
    }
    positions
}

/// The trace with the digit at `position` raised by 1 to 9, modulo ten.
fn with_other_digit(trace: &str, position: usize, raise: u8) -> String {
    let mut bytes = trace.as_bytes().to_vec();
    bytes[position] = b'0' + (bytes[position] - b'0' + raise) % 10;
    String::from_utf8(bytes).expect("digits are ASCII")
}

#[test]
fn every_two_digit_question_is_solved_and_recognised_in_four_ways() {
    let sums = (10..100).flat_map(|left| (10..100).map(move |right| (left, Operator::Add, right)));
    let products = (10..100).flat_map(|left| (2..10).map(move |right| (left, Operator::Multiply, right)));
    for (left, operator, right) in sums.chain(products) {
        assert_all_approaches_hold(&Question { left, operator, right });
    }
}

fn assert_all_approaches_hold(question: &Question) {
    let text = question.to_string();
    let traces = Approach::ALL.map(|approach| approach.trace(question));
    assert_eq!(traces.iter().collect::<HashSet<_>>().len(), 4, "{text}");
    for (index, trace) in traces.iter().enumerate() {
        let verdict = Arithmetic.verify(&text, trace);
        assert!(verdict.answer_correct && verdict.steps_correct, "{text} {trace}");
        assert_eq!(verdict.answer, Some(question.answer().to_string()));
        assert_eq!(Arithmetic.classify(&text, trace), Class::Named(index), "{text} {trace}");
        assert!(trace.bytes().all(|byte| b"0123456789+*-=;# ".contains(&byte)), "{trace}");
    }
}

proptest! {
    #[test]
    fn every_question_is_solved_and_recognised_in_four_ways(question in questions()) {
        assert_all_approaches_hold(&question);
    }

    #[test]
    fn a_wrong_result_is_found_and_keeps_the_class(
        question in questions(), approach in equating_approaches(), at in any::<prop::sample::Index>(), raise in 1_u8..10,
    ) {
        let (text, trace) = (question.to_string(), approach.trace(&question));
        let results = result_digits(&trace);
        let wrong = with_other_digit(&trace, *at.get(&results), raise);
        let verdict = Arithmetic.verify(&text, &wrong);
        prop_assert!(verdict.answer_correct && !verdict.steps_correct, "{}", wrong);
        prop_assert_eq!(Arithmetic.classify(&text, &wrong), Class::Named(approach.index()), "{}", wrong);
    }

    #[test]
    fn a_wrong_answer_is_found_and_keeps_the_class(
        question in questions(), approach in approaches(), wrong in any::<u64>(),
    ) {
        prop_assume!(wrong != question.answer());
        let (text, trace) = (question.to_string(), approach.trace(&question));
        let steps = trace.split(' ').next().expect("a first part");
        let wrong = format!("{steps} #### {wrong}");
        let verdict = Arithmetic.verify(&text, &wrong);
        prop_assert!(!verdict.answer_correct && verdict.steps_correct);
        prop_assert_eq!(Arithmetic.classify(&text, &wrong), Class::Named(approach.index()));
    }

    #[test]
    fn a_wrong_digit_in_a_bare_sum_is_found(
        question in questions(), at in any::<prop::sample::Index>(), raise in 1_u8..10,
    ) {
        let trace = Approach::ByPlace.trace(&question);
        let digits: Vec<_> = trace.match_indices(|byte: char| byte.is_ascii_digit()).map(|(at, _)| at).collect();
        let wrong = with_other_digit(&trace, *at.get(&digits), raise);
        let verdict = Arithmetic.verify(&question.to_string(), &wrong);
        prop_assert!(!(verdict.answer_correct && verdict.steps_correct), "{}", wrong);
    }

    #[test]
    fn a_change_of_approach_is_a_chimera(
        question in questions(), first in approaches(), ahead in 1_usize..4, cut in 1_usize..6,
    ) {
        let second = Approach::ALL[(first.index() + ahead) % 4];
        let (text, begun, ended) = (question.to_string(), first.trace(&question), second.trace(&question));
        let begun: Vec<_> = begun.split(' ').next().expect("steps").split(';').take(cut).collect();
        let chimera = format!("{};{ended}", begun.join(";"));
        prop_assert_eq!(Arithmetic.classify(&text, &chimera), Class::Chimera, "{}", chimera);
    }

    #[test]
    fn a_trace_cut_after_its_first_step_keeps_its_class(
        question in questions(), approach in approaches(), cut in any::<prop::sample::Index>(),
    ) {
        let trace = approach.trace(&question);
        let first_end = trace.find(';').expect("two steps or more");
        let cut = first_end + cut.index(trace.len() - first_end);
        let class = Arithmetic.classify(&question.to_string(), &trace[..cut]);
        prop_assert!(trace[..cut].contains(" #") || class == Class::Named(approach.index()), "{}", &trace[..cut]);
    }

    #[test]
    fn arbitrary_text_never_panics(
        question in prop_oneof![any::<String>(), "[0-9]{1,30}[+*][0-9]{1,30}=", Just("47*6=".to_owned())],
        trace in prop_oneof![any::<String>(), "[0-9+*=;# -]{0,60}", "([0-9]{1,3}[+*=;#-]){1,12}"],
    ) {
        let verdict = Arithmetic.verify(&question, &trace);
        prop_assert_eq!(verdict.answer.is_some(), trace.contains("####"));
        Arithmetic.classify(&question, &trace);
    }
}
