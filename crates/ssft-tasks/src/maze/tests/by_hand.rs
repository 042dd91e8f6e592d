//! One small maze, worked out by hand.
//!
//! ```text
//! a-b c
//! |   |
//! d-e-f
//! |   |
//! g h-i
//! ```

use crate::Strategy::{self, Chimera, Named, Other};
use crate::Task;
use crate::maze::grid::Maze;
use crate::maze::strategies::Approach;
use crate::maze::{Mazes, strategies::NAMES};

const QUESTION: &str = "abd ba cf daeg efd fcie gd hi ifh;ac:";

#[test]
fn traces_by_hand() {
    let maze = Maze::parse(QUESTION).expect("a maze");
    let expected = [
        "abd,deg,ef,fci #### adefc",
        "abadgdefihifc #### adefc",
        "abadefc #### adefc",
        "cf,fie,ih,ed,dag #### adefc",
    ];
    for (approach, expected) in Approach::ALL.into_iter().zip(expected) {
        assert_eq!(approach.trace(&maze).as_deref(), Some(expected), "{}", NAMES[approach.index()]);
    }
}

#[test]
fn verdicts_by_hand() {
    /// Trace, votes count, answer correct, steps correct.
    const CASES: [(&str, Option<&str>, bool, bool); 17] = [
        ("abadefc #### adefc", Some("4"), true, true),
        ("abd,deg,ef,fci #### adefc", Some("4"), true, true),
        ("cf,fie,ed,da #### adefc", Some("4"), true, true),
        ("abadefihifc #### adefc", Some("4"), true, true),
        ("adefc #### adefc", Some("4"), true, true),
        // The log ends too early, crosses a wall, enters a cell again, or discovers a known cell.
        ("abade #### adefc", Some("4"), true, false),
        ("abefc #### adefc", Some("4"), true, false),
        ("abd,dea,ef,fc #### adefc", Some("4"), true, false),
        ("abd,ef,fc #### adefc", Some("4"), true, false),
        ("#### adefc", Some("4"), true, false),
        // The path goes through a wall, ends early, starts elsewhere, turns back.
        ("abadefc #### abefc", Some("4"), false, false),
        ("abadefc #### adef", Some("3"), false, false),
        ("abadefc #### defc", Some("3"), false, false),
        ("abadefc #### abadefc", Some("6"), false, false),
        ("abadefc #### 4", None, false, false),
        ("abadefc ####", None, false, false),
        ("abadefc", None, false, false),
    ];
    for (trace, answer, answer_correct, steps_correct) in CASES {
        let verdict = Mazes.verify(QUESTION, trace);
        let found = (verdict.answer.as_deref(), verdict.answer_correct, verdict.steps_correct);
        assert_eq!(found, (answer, answer_correct, steps_correct), "{trace}");
    }
    assert!(!Mazes.verify("no maze", "abadefc #### adefc").answer_correct);
}

#[test]
fn classes_by_hand() {
    let cases: [(&str, Strategy); 18] = [
        ("abd,deg,ef,fci #### adefc", Named(0)),
        ("abadgdefihifc #### adefc", Named(1)),
        ("abadefc #### adefc", Named(2)),
        ("cf,fie,ih,ed,da #### adefc", Named(3)),
        // Cut off, or with a wrong path.
        ("abd,de", Named(0)),
        ("abade", Named(2)),
        ("abadgd", Named(1)),
        ("cf,fie", Named(3)),
        ("abadefc #### x", Named(2)),
        // A wrong neighbor among right ones.
        ("abd,deh,ef,fci #### adefc", Named(0)),
        // First one hand, then the other: at d the left one, at f the right one.
        ("abadefihifc #### adefc", Chimera),
        // From both ends.
        ("abd,deg,cf,fie #### adefc", Chimera),
        // A start elsewhere, a wall at the first step, no log.
        ("bad,deg #### adefc", Other),
        ("aeb #### adefc", Other),
        ("badefc #### adefc", Other),
        ("#### adefc", Other),
        ("abd;deg #### adefc", Other),
        ("", Other),
    ];
    for (trace, expected) in cases {
        assert_eq!(Mazes.classify(QUESTION, trace), expected, "{trace}");
    }
    assert_eq!(Mazes.classify("no maze", "abadefc"), Other);
}

/// A maze with a loop.
///
/// ```text
/// a-b
/// | |
/// c-d
/// ```
const LOOP: &str = "abc bda cad dbc;ad:";

#[test]
fn a_walk_round_a_loop_into_a_known_cell_is_no_log() {
    for (log, is_log) in [
        ("abd", true),
        ("acd", true),
        ("acabd", true),
        // A return to the start, or to b, that is not the way back.
        ("abdcabd", false),
        ("acdbacd", false),
        ("acdbd", true),
    ] {
        let verdict = Mazes.verify(LOOP, &format!("{log} #### abd"));
        assert!(verdict.answer_correct, "{log}");
        assert_eq!(verdict.steps_correct, is_log, "{log}");
    }
}

#[test]
fn a_wrong_step_does_not_end_a_walk() {
    // At the second letter, in the middle, a letter too few, one too many, a comma.
    for log in ["ahadgdefihifc", "abadgdehihifc", "abadgdfihifc", "abadggdefihifc", "abadgdefihi,fc"] {
        assert_eq!(Mazes.classify(QUESTION, &format!("{log} #### adefc")), Named(1), "{log}");
    }
}

#[test]
fn a_log_of_walks_and_discoveries_is_a_chimera() {
    for log in ["abd,deg,efihifc", "cf,fie,edgda", "abadgd,de,ef,fci", "abad,cf,fie"] {
        assert_eq!(Mazes.classify(QUESTION, &format!("{log} #### adefc")), Chimera, "{log}");
    }
}
