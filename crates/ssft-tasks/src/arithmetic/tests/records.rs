//! Properties of the generated splits, through the public API of the task.

use crate::arithmetic::question::Question;
use crate::arithmetic::{Arithmetic, generate::NAME};
use crate::{Task, TaskError, TaskSpec};
use ssft_data::record::Record;
use std::collections::{BTreeSet, HashSet};

fn spec(train: usize, test: usize, difficulty: u8) -> TaskSpec {
    TaskSpec { train, test, difficulty, seed: 11 }
}

fn question_text(record: &Record) -> &str {
    record.question.as_deref().expect("arithmetic asks in plain text")
}

#[test]
fn splits_share_no_question_no_twin_and_no_held_out_answer() {
    for (difficulty, train, test) in [(1, 4_000, 400), (2, 3_000, 300), (3, 3_000, 300), (4, 3_000, 300)] {
        let data = Arithmetic.make(&spec(train, test, difficulty)).expect("enough questions");
        assert_eq!((data.train.len(), data.test.len()), (train, test));
        let keys = |records: &[Record]| records.iter().map(unordered).collect::<HashSet<_>>();
        let (learnt, tested) = (keys(&data.train), keys(&data.test));
        assert_eq!((learnt.len(), tested.len()), (train, test), "all distinct, twins included");
        assert!(learnt.is_disjoint(&tested));
        let answers: HashSet<_> = data.train.iter().map(|record| record.answer.clone()).collect();
        let new = data.test.iter().filter(|record| !answers.contains(&record.answer)).count();
        assert!(new * 2 >= test * 9 / 10, "level {difficulty}: {new} of {test} answers are new");
    }
}

fn sources(record: &Record) -> Vec<&str> {
    record.traces.iter().map(|trace| trace.source.as_str()).collect()
}

/// The question with its operands in ascending order.
fn unordered(record: &Record) -> (u32, u32, char) {
    let question = Question::parse(question_text(record)).expect("well formed");
    let (left, right) = (question.left, question.right);
    (left.min(right), left.max(right), question.operator.symbol())
}

#[test]
fn half_of_the_questions_are_products_while_they_last() {
    let products =
        |records: &[Record]| records.iter().filter(|record| question_text(record).contains('*')).count();
    let data = Arithmetic.make(&spec(1_000, 100, 2)).expect("enough questions");
    assert_eq!((products(&data.train), products(&data.test)), (500, 50));
    let data = Arithmetic.make(&spec(4_000, 100, 1)).expect("enough questions");
    assert!((600..=720).contains(&products(&data.train)));
}

#[test]
fn records_are_complete_and_their_traces_shuffled() {
    let data = Arithmetic.make(&spec(200, 20, 2)).expect("enough questions");
    let mut orders = HashSet::new();
    for record in data.train.iter().chain(&data.test) {
        let question = question_text(record);
        assert_eq!(format!("{}=", record.id), format!("{NAME}-{question}"));
        let sources = sources(record);
        let sorted: BTreeSet<_> = sources.iter().copied().collect();
        assert_eq!(sorted, BTreeSet::from(["lsb", "msb", "place", "round"]));
        for trace in &record.traces {
            let verdict = Arithmetic.verify(question, &trace.text);
            assert!(verdict.answer_correct && verdict.steps_correct);
            assert_eq!(verdict.answer, record.answer);
        }
        orders.insert(sources.join(","));
    }
    assert_eq!(orders.len(), 24, "all orders of four traces occur");
}

#[test]
fn a_spec_fixes_every_byte() {
    let made = |seed| Arithmetic.make(&TaskSpec { seed, ..spec(100, 20, 3) }).expect("enough questions");
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
}

#[test]
fn a_new_random_number_library_would_not_go_unnoticed() {
    let data = Arithmetic.make(&spec(3, 1, 2)).expect("enough questions");
    let first = &data.train[0];
    let sources = sources(first).join(",");
    assert_eq!((first.id.as_str(), sources), ("arithmetic-206*2", "round,lsb,msb,place".to_owned()));
}

#[test]
fn a_level_can_be_used_up_but_not_overdrawn() {
    // 4,095 sums (twins once) and 720 products.
    let everything = spec(0, 4_815, 1);
    assert_eq!(Arithmetic.make(&everything).expect("just enough").test.len(), 4_815);
    let error = Arithmetic.make(&spec(0, 4_816, 1)).expect_err("one too many");
    assert_eq!(error, TaskError::TooMany { task: NAME, asked: 4_816, available: 4_815, difficulty: 1 });
    let error = Arithmetic.make(&spec(4_815, 0, 1)).expect_err("held-out answers are not for training");
    assert!(matches!(error, TaskError::TooMany { asked: 4_815, available: 4_400..4_700, .. }), "{error}");
    assert!(Arithmetic.make(&spec(usize::MAX, usize::MAX, 4)).is_err());
}

#[test]
fn levels_that_do_not_exist_are_refused() {
    for asked in [0, 5, u8::MAX] {
        let error = Arithmetic.make(&spec(1, 1, asked)).expect_err("no such level");
        assert_eq!(error, TaskError::Difficulty { task: NAME, asked, max: 4 });
    }
}

/// Longest question, then longest `lsb`, `msb`, `place` and `round` trace of each level, in bytes.
const LONGEST: [[usize; 5]; 4] =
    [[6, 24, 30, 25, 38], [8, 34, 52, 39, 47], [10, 44, 80, 56, 56], [12, 54, 114, 76, 66]];

#[test]
fn traces_stay_short() {
    for (difficulty, longest) in (1..).zip(LONGEST) {
        let data = Arithmetic.make(&spec(4_000, 0, difficulty)).expect("enough questions");
        let mut lengths = [const { Vec::new() }; 5];
        for record in &data.train {
            lengths[0].push(question_text(record).len());
            for trace in &record.traces {
                let name = trace.source.as_str();
                let at = Arithmetic
                    .strategies()
                    .iter()
                    .position(|known| *known == name)
                    .expect("a known strategy");
                lengths[at + 1].push(trace.text.len());
            }
        }
        let means =
            lengths.each_ref().map(|column| column.iter().sum::<usize>() as f64 / column.len() as f64);
        let most = lengths.each_ref().map(|column| column.iter().copied().max().unwrap_or(0));
        println!("level {difficulty}: mean {means:.1?}, longest {most:?}");
        assert!(most.iter().zip(longest).all(|(most, bound)| *most <= bound), "level {difficulty}: {most:?}");
    }
}
