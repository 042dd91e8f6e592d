//! Properties of the generated splits, through the public API of the task.

use crate::countdown::question::Question;
use crate::countdown::{Countdown, level::NAME};
use crate::{Strategy, Task, TaskError, TaskSpec};
use ssft_data::record::Record;
use std::collections::{BTreeSet, HashSet};

fn spec(train: usize, test: usize, difficulty: u8) -> TaskSpec {
    TaskSpec { train, test, difficulty, seed: 11 }
}

fn question(record: &Record) -> Question {
    Question::parse(question_text(record)).expect("well formed")
}

fn question_text(record: &Record) -> &str {
    record.question.as_deref().expect("countdown asks in plain text")
}

#[test]
fn splits_share_no_question_and_no_held_out_target() {
    for difficulty in 1..=4 {
        let (train, test) = (1_500, 100);
        let data = Countdown.make(&spec(train, test, difficulty)).expect("enough questions");
        // Numbers are in ascending order, so that equal questions are equal strings.
        let keys = |records: &[Record]| records.iter().map(question).collect::<HashSet<_>>();
        let (learnt, tested) = (keys(&data.train), keys(&data.test));
        assert_eq!((learnt.len(), tested.len()), (train, test), "all distinct");
        assert!(learnt.is_disjoint(&tested));
        let targets: HashSet<_> = learnt.iter().map(|question| question.target).collect();
        let new = tested.iter().filter(|question| !targets.contains(&question.target)).count();
        assert!((50..56).contains(&new), "level {difficulty}: {new} of {test} targets are new");
    }
}

fn sources(record: &Record) -> Vec<&str> {
    record.traces.iter().map(|trace| trace.source.as_str()).collect()
}

#[test]
fn records_are_complete_and_their_traces_true_recognised_and_shuffled() {
    for difficulty in 1..=4 {
        let data = Countdown.make(&spec(1_000, 100, difficulty)).expect("enough questions");
        let mut orders = HashSet::new();
        for record in data.train.iter().chain(&data.test) {
            let text = question_text(record);
            assert_eq!(format!("{}:", record.id), format!("{NAME}-{text}"));
            let sources = sources(record);
            assert_eq!(
                sources.iter().copied().collect::<BTreeSet<_>>(),
                Countdown.strategies().iter().copied().collect()
            );
            assert_eq!(record.traces.iter().map(|trace| &trace.text).collect::<HashSet<_>>().len(), 4);
            for trace in &record.traces {
                let verdict = Countdown.verify(text, &trace.text);
                assert!(verdict.answer_correct && verdict.steps_correct, "{text} {}", trace.text);
                let index = Countdown.strategies().iter().position(|name| *name == trace.source);
                let class = Countdown.classify(text, &trace.text);
                assert_eq!(Some(class), index.map(Strategy::Named), "{text} {}", trace.text);
                assert!(trace.text.bytes().all(|byte| b"0123456789+-*/=,;()# ".contains(&byte)));
                if trace.source == "sum" {
                    assert_eq!(verdict.answer, record.answer);
                }
            }
            orders.insert(sources.join(","));
        }
        assert_eq!(orders.len(), 24, "all orders of four traces occur");
    }
}

#[test]
fn a_spec_fixes_every_byte() {
    let made = |seed| Countdown.make(&TaskSpec { seed, ..spec(100, 20, 3) }).expect("enough questions");
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn test_questions_can_be_had_alone() {
    let data = Countdown.make(&spec(0, 40, 2)).expect("enough questions");
    assert_eq!((data.train.len(), data.test.len()), (0, 40));
    assert_eq!(Countdown.make(&spec(0, 0, 1)).expect("nothing asked for").train, []);
}

#[test]
fn a_level_can_be_used_up_but_not_overdrawn() {
    let error = Countdown.make(&spec(0, usize::MAX, 1)).expect_err("too many");
    let TaskError::TooMany { available, .. } = error else { panic!("{error}") };
    assert_eq!(available, LEVEL_1);
    let data = Countdown.make(&spec(0, available, 1)).expect("just enough");
    let distinct: HashSet<_> = data.test.iter().map(question).collect();
    assert_eq!(distinct.len(), available);
    let error = Countdown.make(&spec(available, 0, 1)).expect_err("held-out targets are not for training");
    let TaskError::TooMany { available, .. } = error else { panic!("{error}") };
    let data = Countdown.make(&spec(available - 10, 10, 1)).expect("the rest is for training");
    assert_eq!(data.train.len(), available - 10);
}

/// Distinct questions of level 1.
const LEVEL_1: usize = 7_681;

#[test]
fn levels_that_do_not_exist_are_refused() {
    for asked in [0, 5, u8::MAX] {
        let error = Countdown.make(&spec(1, 1, asked)).expect_err("no such level");
        assert_eq!(error, TaskError::Difficulty { task: NAME, asked, max: 4 });
    }
}

/// Longest `sum`, `factor`, `beam` and `backward` trace of each level, in bytes; at level 4 the bound of generation, as not all its questions have been seen.
const LONGEST: [[usize; 4]; 4] = [[117, 117, 65, 68], [124, 123, 68, 80], [139, 140, 116, 114], [220; 4]];

#[test]
fn traces_stay_short() {
    for (difficulty, longest) in (1..).zip(LONGEST) {
        let data = Countdown.make(&spec(1_500, 0, difficulty)).expect("enough questions");
        for (name, longest) in Countdown.strategies().iter().zip(longest) {
            let traces = data.train.iter().flat_map(|record| &record.traces);
            let lengths: Vec<_> =
                traces.filter(|trace| trace.source == *name).map(|trace| trace.text.len()).collect();
            let most = lengths.iter().copied().max().unwrap_or(0);
            let mean = lengths.iter().sum::<usize>() as f64 / lengths.len() as f64;
            println!("level {difficulty}: {name} mean {mean:.1}, longest {most}");
            assert!(most <= longest, "level {difficulty}: {name} {most}");
        }
    }
}

#[test]
fn attempts_spread() {
    for difficulty in 1..=4 {
        let data = Countdown.make(&spec(1_500, 0, difficulty)).expect("enough questions");
        for name in ["sum", "factor", "backward"] {
            let traces = data.train.iter().flat_map(|record| &record.traces);
            let again = traces.filter(|trace| trace.source == name && trace.text.contains(';')).count();
            assert!(again * 10 >= data.train.len(), "level {difficulty}: {name} turns back {again} times");
        }
    }
}
