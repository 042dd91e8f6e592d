//! Properties of the generated splits and of their traces, through the public API of the task.

use crate::maze::grid::Maze;
use crate::maze::{Mazes, generate::NAME};
use crate::{Strategy as Class, Task, TaskError, TaskSpec};
use proptest::prelude::*;
use ssft_data::record::Record;
use std::collections::HashSet;

fn spec(train: usize, test: usize, difficulty: u8) -> TaskSpec {
    TaskSpec { train, test, difficulty, seed: 11 }
}

fn maze(record: &Record) -> Maze {
    Maze::parse(record.question.as_deref().expect("a plain question")).expect("a maze")
}

#[test]
fn every_trace_is_right_and_recognised() {
    for difficulty in 1..=3 {
        let data = Mazes.make(&spec(400, 40, difficulty)).expect("enough mazes");
        assert_eq!((data.train.len(), data.test.len()), (400, 40));
        let mut orders = HashSet::new();
        for record in data.train.iter().chain(&data.test) {
            let question = record.question.as_deref().expect("a plain question");
            assert_eq!(format!("{}:", record.id), format!("{NAME}-{question}"));
            for trace in &record.traces {
                let verdict = Mazes.verify(question, &trace.text);
                assert!(verdict.answer_correct && verdict.steps_correct, "{question} {}", trace.text);
                let Class::Named(class) = Mazes.classify(question, &trace.text) else { panic!("{trace:?}") };
                assert_eq!(Mazes.strategies()[class], trace.source);
                let moves = |text: &str| text.parse::<usize>().expect("a number");
                let shortest = record.answer.as_deref().map(moves).expect("an answer");
                let found = verdict.answer.as_deref().map(moves).expect("an answer");
                let is_breadth_first = trace.source == "bfs" || trace.source == "back";
                assert!(found >= shortest && (!is_breadth_first || found == shortest));
            }
            let texts: HashSet<&str> = record.traces.iter().map(|trace| trace.text.as_str()).collect();
            assert_eq!(texts.len(), 4, "{question}");
            orders.insert(record.traces.iter().map(|trace| trace.source.clone()).collect::<Vec<_>>());
        }
        assert_eq!(orders.len(), 24, "all orders of four traces occur");
    }
}

#[test]
fn splits_share_no_maze_and_no_held_out_pair() {
    for difficulty in 1..=3 {
        let data = Mazes.make(&spec(1_000, 200, difficulty)).expect("enough mazes");
        let walls =
            |records: &[Record]| records.iter().map(|record| maze(record).passages()).collect::<HashSet<_>>();
        let (learnt, tested) = (walls(&data.train), walls(&data.test));
        assert_eq!((learnt.len(), tested.len()), (1_000, 200));
        assert!(learnt.is_disjoint(&tested));
        let pair = |record: &Record| (maze(record).start(), maze(record).goal());
        let pairs: HashSet<_> = data.train.iter().map(pair).collect();
        assert!(data.test.iter().filter(|record| !pairs.contains(&pair(record))).count() >= 100);
    }
}

#[test]
fn loops_give_a_choice_of_paths() {
    let data = Mazes.make(&spec(200, 0, 1)).expect("enough mazes");
    let loops = |record: &Record| maze(record).passages().len() + 1 - maze(record).cells();
    assert!(data.train.iter().all(|record| (2..=3).contains(&loops(record))));
    let lengths = |record: &Record| {
        let question = record.question.as_deref().expect("a plain question");
        let length = |trace: &ssft_data::record::Trace| Mazes.verify(question, &trace.text).answer;
        record.traces.iter().map(length).collect::<HashSet<_>>().len()
    };
    assert!(data.train.iter().filter(|record| lengths(record) > 1).count() > 50, "a quarter has longer ways");
}

#[test]
fn a_spec_fixes_every_byte() {
    let made = |seed| Mazes.make(&TaskSpec { seed, ..spec(50, 10, 2) }).expect("enough mazes");
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
    assert_eq!(Mazes.make(&spec(0, 9, 1)).expect("tests alone").test.len(), 9);
}

#[test]
fn levels_that_do_not_exist_are_refused() {
    for difficulty in [0, 4] {
        let refused = Mazes.make(&spec(1, 1, difficulty));
        assert_eq!(refused, Err(TaskError::Difficulty { task: NAME, asked: difficulty, max: 3 }));
    }
}

/// The log of a strategy.
fn log<'a>(record: &'a Record, strategy: &str) -> &'a str {
    let trace = record.traces.iter().find(|trace| trace.source == strategy).expect("a trace");
    trace.text.split_once(" #### ").expect("a mark").0
}

/// Number of records whose log, after `change`, still has its class.
fn classed(records: &[Record], class: Class, change: impl Fn(&Record) -> String) -> usize {
    let is_so = |record: &&Record| {
        let question = record.question.as_deref().expect("a plain question");
        Mazes.classify(question, &format!("{} #### a", change(record))) == class
    };
    records.iter().filter(is_so).count()
}

#[test]
fn one_wrong_letter_seldom_changes_the_class() {
    for difficulty in 1..=3 {
        let data = Mazes.make(&spec(300, 0, difficulty)).expect("enough mazes");
        for (at, strategy) in Mazes.strategies().iter().enumerate() {
            // A letter in the middle is replaced by that of the start, or removed.
            for (by, wrong) in [("another", true), ("none", false)] {
                let kept = classed(&data.train, Class::Named(at), |record| {
                    let log = log(record, strategy);
                    let (middle, start) = (log.len() / 2, Maze::letter(maze(record).start()).to_string());
                    let letter = if wrong { start.as_str() } else { "" };
                    format!("{}{letter}{}", &log[..middle], &log[middle + 1..])
                });
                // Regression: without tolerance for wrong steps half of the walks changed their class.
                assert!(kept >= 255, "{strategy} at level {difficulty}, {by}: {kept} of 300");
            }
        }
    }
}

#[test]
fn half_of_one_log_and_half_of_another_form_a_chimera() {
    let data = Mazes.make(&spec(300, 0, 1)).expect("enough mazes");
    let half = |log: &str| log[..log.len() / 2].rfind(',').unwrap_or(log.len() / 2);
    for (first, second) in [
        ("bfs", "back"),
        ("back", "bfs"),
        ("bfs", "right"),
        ("left", "bfs"),
        ("right", "back"),
        ("back", "left"),
    ] {
        let chimeras = classed(&data.train, Class::Chimera, |record| {
            let (begun, ended) = (log(record, first), log(record, second));
            format!("{},{}", &begun[..half(begun)], ended[half(ended)..].trim_start_matches(','))
        });
        // The other pairs have too little of one part.
        assert!(chimeras >= 225, "{first}, then {second}: {chimeras} of 300");
    }
}

fn records() -> Vec<Record> {
    Mazes.make(&spec(60, 0, 1)).expect("enough mazes").train
}

proptest! {
    /// A claimed path with one letter replaced is a path only if all its steps are open.
    #[test]
    fn a_damaged_path_is_judged_by_its_steps(which in 0_usize..60, trace in 0_usize..4, at in 0_usize..30, cell in 0_usize..25) {
        let record = &records()[which];
        let (maze, text) = (maze(record), &record.traces[trace].text);
        let (log, path) = text.rsplit_once(" #### ").expect("a mark");
        let mut letters: Vec<char> = path.chars().collect();
        let at = at % letters.len();
        letters[at] = Maze::letter(cell);
        let damaged: String = letters.iter().collect();
        let cells = maze.cells_of(&damaged).expect("letters of cells");
        let open = cells.windows(2).all(|step| maze.is_open(step[0], step[1]));
        let once = cells.iter().collect::<HashSet<_>>().len() == cells.len();
        let ends = cells.first() == Some(&maze.start()) && cells.last() == Some(&maze.goal());
        let verdict = Mazes.verify(record.question.as_deref().expect("text"), &format!("{log} #### {damaged}"));
        prop_assert_eq!(verdict.answer_correct, open && once && ends);
    }

    #[test]
    fn no_text_panics(question in ".{0,80}", trace in ".{0,80}", letters in "[a-zA-Z,# ]{0,60}") {
        let known = records();
        let maze = known[0].question.as_deref().expect("text");
        for question in [question.as_str(), maze] {
            for trace in [trace.as_str(), letters.as_str()] {
                Mazes.verify(question, trace);
                Mazes.classify(question, trace);
            }
        }
    }
}
