//! Properties of single traces: each is correct and classified as its strategy; no error passes as correct.

use crate::countdown::Countdown;
use crate::countdown::question::Question;
use crate::countdown::strategies::Approach;
use crate::{Strategy as Class, Task, TaskSpec};
use proptest::prelude::*;
use std::sync::LazyLock;

/// Question, then the traces of all strategies, worked by hand.
const BY_HAND: [[&str; 5]; 3] = [
    [
        "3,5,8=64:",
        "8*5=40,40+3=43;8*3=24,24+5=29;5*3=15,15+8=23;5+3=8,8*8=64 #### (5+3)*8",
        "5+3=8,8*8=64 #### (5+3)*8",
        "5+3=8,8*5=40,8+3=11;8*8=64 #### (5+3)*8",
        "64=8*8,8=5+3 #### (5+3)*8",
    ],
    [
        "18,28,32=42:",
        "28-18=10,32+10=42 #### 32+28-18",
        "32-18=14,28+14=42 #### 28+32-18",
        "28-18=10,32-28=4,32-18=14;32+10=42 #### 32+28-18",
        "42=10+32,10=28-18 #### 28-18+32",
    ],
    [
        "31,32,33=64:",
        "32-31=1,33+1=34;33-31=2,32*2=64 #### 32*(33-31)",
        "33+31=64,64+32=96;33-31=2,32*2=64 #### 32*(33-31)",
        "32-31=1,33+32=65,33-31=2;33+1=34,32*2=64 #### 32*(33-31)",
        "64=2*32,2=33-31 #### (33-31)*32",
    ],
];

#[test]
fn traces_equal_those_worked_by_hand() {
    for [question, traces @ ..] in BY_HAND {
        let parsed = Question::parse(question).expect(question);
        for (approach, expected) in Approach::ALL.into_iter().zip(traces) {
            let solution = approach.solve(&parsed, 6).map(|solution| solution.trace);
            assert_eq!(solution.as_deref(), Some(expected), "{} of {question}", approach.name());
        }
    }
    assert_eq!(Approach::ALL.map(Approach::index), [0, 1, 2, 3]);
}

/// Questions of all levels with their traces, by strategy.
static SAMPLES: LazyLock<Vec<(String, [String; 4])>> = LazyLock::new(|| {
    let made = |difficulty| {
        let spec = TaskSpec { train: 100, test: 0, difficulty, seed: 5 };
        Countdown.make(&spec).expect("enough questions").train
    };
    let sample = |record: ssft_data::record::Record| {
        let text_of = |name: &str| {
            let trace = record.traces.iter().find(|trace| trace.source == name).expect("all four");
            trace.text.clone()
        };
        let traces = Approach::ALL.map(|approach| text_of(approach.name()));
        (record.question.clone().expect("plain text"), traces)
    };
    (1..=4).flat_map(made).map(sample).collect()
});

fn samples() -> impl Strategy<Value = &'static (String, [String; 4])> {
    any::<prop::sample::Index>().prop_map(|at| at.get(&SAMPLES))
}

/// The value of an expression, evaluated left to right; `None` unless all intermediate results are positive integers.
fn plain_value(text: &str) -> Option<i128> {
    let mut depth = 0;
    let mut split = [None; 2];
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            b'+' | b'-' if depth == 0 => split[0] = Some(at),
            b'*' | b'/' if depth == 0 => split[1] = Some(at),
            _ => {}
        }
    }
    let Some(at) = split[0].or(split[1]) else {
        let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
        return inner.map_or_else(|| text.parse().ok(), plain_value);
    };
    let (left, right) = (plain_value(&text[..at])?, plain_value(&text[at + 1..])?);
    match text.as_bytes()[at] {
        b'+' => Some(left + right),
        b'-' => Some(left - right),
        b'*' => Some(left * right),
        _ => (right != 0 && left % right == 0).then(|| left / right),
    }
}

proptest! {
    #[test]
    fn answers_have_the_value_of_the_target((question, traces) in samples()) {
        let target = Question::parse(question).expect("well formed").target;
        for trace in traces {
            let claim = trace.split("#### ").last().expect("a claim");
            prop_assert_eq!(plain_value(claim), Some(i128::from(target)), "{}", claim);
            let answer = Countdown.verify(question, trace).answer.expect("a claim");
            prop_assert_eq!(plain_value(&answer), Some(i128::from(target)), "{}", answer);
        }
    }

    #[test]
    fn a_wrong_digit_in_the_steps_is_found(
        (question, traces) in samples(), of in 0_usize..4, at in any::<prop::sample::Index>(), raise in 1_u8..10,
    ) {
        let mark = traces[of].find(" #").expect("a mark");
        let digits: Vec<_> =
            traces[of][..mark].match_indices(|byte: char| byte.is_ascii_digit()).map(|(at, _)| at).collect();
        let wrong = with_other_digit(&traces[of], *at.get(&digits), raise);
        let verdict = Countdown.verify(question, &wrong);
        prop_assert!(verdict.answer_correct && !verdict.steps_correct, "{} {}", question, wrong);
    }

    #[test]
    fn a_changed_claim_is_correct_only_if_it_is(
        (question, traces) in samples(), of in 0_usize..4, at in any::<prop::sample::Index>(), byte in "[-0-9+*/()]",
    ) {
        let (steps, claim) = traces[of].split_once(" #### ").expect("a mark");
        let mut changed = claim.to_owned();
        let at = at.index(claim.len());
        changed.replace_range(at..=at, &byte);
        let verdict = Countdown.verify(question, &format!("{steps} #### {changed}"));
        let parsed = Question::parse(question).expect("well formed");
        let mut numbers: Vec<u64> =
            changed.split(|byte: char| !byte.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect();
        numbers.sort_unstable();
        if verdict.answer_correct {
            prop_assert_eq!(numbers.as_slice(), parsed.numbers.as_slice());
            prop_assert_eq!(plain_value(&changed), Some(i128::from(parsed.target)), "{}", changed);
        }
    }

    #[test]
    fn a_wrong_last_result_keeps_the_class(
        (question, traces) in samples(), of in 0_usize..3, raise in 1_u8..10,
    ) {
        let mark = traces[of].find(" #").expect("a mark");
        let wrong = with_other_digit(&traces[of], mark - 1, raise);
        prop_assert_eq!(Countdown.classify(question, &wrong), Class::Named(of), "{}", wrong);
    }

    #[test]
    fn a_change_of_direction_is_a_chimera((question, traces) in samples(), of in 0_usize..3) {
        let steps = |trace: &str| trace.split(" #").next().expect("steps").to_owned();
        let (forward, backward) = (steps(&traces[of]), steps(&traces[3]));
        for chimera in [format!("{forward};{backward} #### 1"), format!("{backward};{forward} #### 1")] {
            prop_assert_eq!(Countdown.classify(question, &chimera), Class::Chimera);
        }
    }

    #[test]
    fn an_attempt_before_or_behind_a_beam_is_a_chimera((question, traces) in samples(), of in 0_usize..2) {
        let steps = |trace: &str| trace.split(" #").next().expect("steps").to_owned();
        let (attempts, beam) = (steps(&traces[of]), steps(&traces[2]));
        for chimera in [format!("{attempts};{beam} #### 1"), format!("{beam};{attempts} #### 1")] {
            prop_assert_eq!(Countdown.classify(question, &chimera), Class::Chimera, "{}", chimera);
        }
    }

    #[test]
    fn arbitrary_text_never_panics(
        question in prop_oneof![any::<String>(), "[0-9]{1,11}(,[0-9]{1,11}){2,4}=[0-9]{1,11}:", Just("3,5,8=64:".to_owned())],
        trace in prop_oneof![
            any::<String>(),
            "[-0-9+*/=,;()# ]{0,60}",
            "([0-9]{1,20}[-+*/][0-9]{1,20}=[0-9]{1,20}[,;]){1,6} #### [-0-9+*/()]{1,30}",
            "(3|5|8)[-+*/](3|5|8)=[0-9]{1,2},[0-9]{1,2}[-+*/][0-9]{1,2}=64 #### [(358)+*]{1,9}",
        ],
    ) {
        let verdict = Countdown.verify(&question, &trace);
        prop_assert_eq!(verdict.answer.is_some(), trace.contains("####"));
        Countdown.classify(&question, &trace);
    }
}

/// The trace with the digit at `position` raised by 1 to 9, modulo ten.
fn with_other_digit(trace: &str, position: usize, raise: u8) -> String {
    let mut bytes = trace.as_bytes().to_vec();
    bytes[position] = b'0' + (bytes[position] - b'0' + raise) % 10;
    String::from_utf8(bytes).expect("digits are ASCII")
}
