//! Classification of a trace by the form of its steps; their results are ignored.
//!
//! n is the number of given numbers.
//!
//! | form | layout |
//! |---|---|
//! | `backward` | every step has its operation on the right of `=` |
//! | `beam` | operations on the left; the first group has n steps; at most n-1 groups |
//! | `sum`, `factor` | operations on the left; every group is an attempt of n-1 steps |
//!
//! Between `sum` and `factor` each attempt votes for the heuristic with which more of its steps agree; a tie is no
//! vote. A step agrees with a heuristic if the heuristic would choose its operation: for the first step of attempt k the
//! k-th best move or the best move not tried before, for a later step the best move from the numbers that the steps so
//! far leave (with the results as written). Unanimous votes decide. No vote gives [`Strategy::Other`].
//!
//! [`Strategy::Chimera`] is a trace with operations on both sides, with votes for both heuristics, with attempts before
//! a group of n steps, or with an attempt behind one (n-1 steps, the first from two given numbers, the last from the
//! previous result). Everything else is [`Strategy::Other`].

use super::guide::{Guide, Heuristic, Move};
use super::numbers::Numbers;
use super::question::Question;
use super::step::{Direction, GROUP_END, STEP_END, Step, parse};
use super::strategies::Approach;
use crate::claim::split_answer;
use crate::task::Strategy;

/// Whether a trace has its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// It has an answer mark.
    Complete,
    /// It has none, so that its last step may be incomplete.
    CutOff,
}

/// The class of `trace`; see the rules of this module.
pub(super) fn strategy(question: &str, trace: &str) -> Strategy {
    let Some(question) = Question::parse(question) else {
        return Strategy::Other;
    };
    let (steps, claim) = split_answer(trace);
    let ending = if claim.is_none() { Ending::CutOff } else { Ending::Complete };
    let Some(groups) = groups(steps, ending) else {
        return Strategy::Other;
    };
    let is_backward = |(direction, _): &(Direction, Step)| *direction == Direction::Backward;
    let mut backward = groups.iter().flatten().map(is_backward);
    match backward.next() {
        None => Strategy::Other,
        Some(first) if backward.any(|other| other != first) => Strategy::Chimera,
        Some(true) => Strategy::Named(Approach::Backward.index()),
        Some(false) => {
            let groups: Vec<Vec<_>> =
                groups.iter().map(|group| group.iter().map(|(_, step)| *step).collect()).collect();
            forward(&question, &groups, ending)
        }
    }
}

/// The steps of each group; `None` if a step does not match the grammar. A last step that does not match is dropped if
/// the trace is cut off.
fn groups(steps: &str, ending: Ending) -> Option<Vec<Vec<(Direction, Step)>>> {
    let mut texts: Vec<Vec<_>> =
        steps.split(GROUP_END).map(|group| group.split(STEP_END).collect()).collect();
    if ending == Ending::CutOff {
        if let Some(last) = texts.last_mut() {
            last.pop_if(|step| parse(step).is_none());
        }
        texts.pop_if(|last| last.is_empty());
    }
    texts.into_iter().map(|group| group.into_iter().map(parse).collect()).collect()
}

/// The class of at least one group of steps with their operations on the left.
fn forward(question: &Question, groups: &[Vec<Step>], ending: Ending) -> Strategy {
    let given = question.numbers.len();
    let [first, rest @ ..] = groups else { return Strategy::Other };
    if first.len() == given {
        return if rest.iter().any(|group| is_attempt(&question.numbers, group)) {
            Strategy::Chimera
        } else if groups.len() < given && rest.iter().all(|group| group.len() <= given) {
            Strategy::Named(Approach::Beam.index())
        } else {
            Strategy::Other
        };
    }
    let (whole, last) = match groups.split_last() {
        Some((last, whole)) if ending == Ending::CutOff && last.len() < given => (whole, Some(last)),
        _ => (groups, None),
    };
    if whole.iter().chain(last).any(|group| group.len() == given) && first.len() == given - 1 {
        Strategy::Chimera
    } else if whole.iter().all(|group| group.len() == given - 1) {
        by_votes(question, groups)
    } else {
        Strategy::Other
    }
}

/// Whether there are as many steps as in an attempt, the first uses given numbers, and the last the previous result.
fn is_attempt(given: &Numbers, steps: &[Step]) -> bool {
    let ([first, ..], [.., before, last]) = (steps, steps) else { return false };
    steps.len() == given.len() - 1 && takes_given(given, first) && takes(last, before.result)
}

fn takes_given(given: &Numbers, step: &Step) -> bool {
    given.without(step.left).and_then(|left| left.without(step.right)).is_some()
}

fn takes(step: &Step, number: u64) -> bool {
    step.left == number || step.right == number
}

/// The class of attempts: `sum` or `factor` by votes.
fn by_votes(question: &Question, attempts: &[Vec<Step>]) -> Strategy {
    let mut replays = [Heuristic::Sum, Heuristic::Factor].map(|heuristic| Replay::new(question, heuristic));
    let mut votes = [false; 2];
    for (at, attempt) in attempts.iter().enumerate() {
        let [sum, factor] = replays.each_mut().map(|replay| replay.agreeing(at, attempt));
        votes[0] |= sum > factor;
        votes[1] |= factor > sum;
    }
    match votes {
        [true, true] => Strategy::Chimera,
        [true, false] => Strategy::Named(Approach::Sum.index()),
        [false, true] => Strategy::Named(Approach::Factor.index()),
        [false, false] => Strategy::Other,
    }
}

/// The choices of one heuristic along a trace.
struct Replay {
    guide: Guide,
    given: Numbers,
    /// Possible first steps, the best first.
    firsts: Vec<Move>,
    /// For each of `firsts`: whether an attempt started with it.
    tried: Vec<bool>,
}

impl Replay {
    fn new(question: &Question, heuristic: Heuristic) -> Self {
        let guide = Guide::new(heuristic, question.target);
        let firsts = guide.ranked(&question.numbers);
        let tried = vec![false; firsts.len()];
        Self { guide, given: question.numbers, firsts, tried }
    }

    /// Number of steps of attempt `at` (from 0) that agree with the heuristic.
    fn agreeing(&mut self, at: usize, attempt: &[Step]) -> usize {
        let [first, rest @ ..] = attempt else { return 0 };
        let mut agreeing = usize::from(self.agrees_at_first(at, first));
        let mut left = self.given.replace(first.left, first.right, first.result);
        for step in rest {
            let best = left.and_then(|left| self.guide.best(&left));
            agreeing += usize::from(best.is_some_and(|best| best.step.is_same_operation(step)));
            left = left.and_then(|left| left.replace(step.left, step.right, step.result));
        }
        agreeing
    }

    fn agrees_at_first(&mut self, at: usize, step: &Step) -> bool {
        let Some(place) = self.firsts.iter().position(|next| next.step.is_same_operation(step)) else {
            return false;
        };
        let best_untried = self.tried.iter().position(|tried| !tried);
        self.tried[place] = true;
        place == at || Some(place) == best_untried
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Strategy::{Chimera, Named, Other};

    /// Traces of `3,5,8=64:`; indices as in `NAMES`: 0 sum, 1 factor, 2 beam, 3 backward. First steps by
    /// sum: 8*5 8*3 5*3 5+3 ..., by factor: 5+3 5-3 5*3 8-3 8-5 ....
    const BY_HAND: [(&str, Strategy); 38] = [
        ("8*5=40,40+3=43;8*3=24,24+5=29 #### 8", Named(0)),
        ("8*5=40,40+3=43 #### 8*5+3", Named(0)),
        ("5+3=8,8*8=64 #### (5+3)*8", Named(1)),
        ("5+3=8,8*5=40,8*3=24;8*8=64 #### (5+3)*8", Named(2)),
        ("64=8*8,8=5+3 #### (5+3)*8", Named(3)),
        ("64=59+5;64=8*8,8=5+3 #### (5+3)*8", Named(3)),
        // Wrong numbers.
        ("8*5=41,41+3=49;8*3=25,25+5=30 #### 8", Named(0)),
        ("5+3=9,9*8=64 #### 3", Named(1)),
        ("5+3=7,8*5=45,8*3=20;9*9=64 #### 1", Named(2)),
        ("65=8*9,8=5+4 #### 3", Named(3)),
        // An attempt of neither heuristic, then one of one of them.
        ("8-5=3,3*3=9;8*3=24,24+5=29 #### 8", Named(0)),
        ("8/5=1,3*3=9;5-3=2,8*2=16 #### 8", Named(1)),
        // One missed: the second attempt is the third best.
        ("8*5=40,40+3=43;5*3=15,15*8=120 #### 8", Named(0)),
        // No answer; cut off.
        ("8*5=40,40+3=43", Named(0)),
        ("8*5=40,40+3=43;8*3=24", Named(0)),
        ("8*5=40,40+3=43;8*3=2", Named(0)),
        ("8*5=40,40+3=43;8*", Named(0)),
        ("8*5=40,40+3=43;", Named(0)),
        ("5+3=8,8*5=40,8*3=24;8*", Named(2)),
        ("5+3=8,8*5=40,8*3=24", Named(2)),
        ("64=8*8,8=5", Named(3)),
        ("64=8*8,8=", Named(3)),
        // One strategy, then another.
        ("8*5=40,40+3=43;5+3=8,8*8=64 #### (5+3)*8", Chimera),
        ("5+3=8,8*8=64;8*3=24,24+5=29 #### 8", Chimera),
        ("8*5=40,40+3=43;64=8*8,8=5+3 #### (5+3)*8", Chimera),
        ("64=59+5;5+3=8,8*8=64 #### (5+3)*8", Chimera),
        ("8*5=40,40+3=43;5+3=8,8*5=40,8*3=24;8*8=64 #### 8", Chimera),
        ("5+3=8,8*5=40,8*3=24;8*5=40,40+3=43 #### 8", Chimera),
        // Nothing to recognise.
        ("", Other),
        ("#### (5+3)*8", Other),
        ("(5+3)*8=64 #### (5+3)*8", Other),
        ("8/5=1,1+3=4 #### 8", Other),
        ("5*3=15,15*8=120;8-3=5,5*5=25 #### 8", Other),
        ("8*5=40,40+3=43,1+1=2,1+1=2 #### 8", Other),
        ("8*5=40,40+3=43; 8*3=24,24+5=29 #### 8", Other),
        ("8*5=40,40+3=43;8*3=24 #### 8", Other),
        ("8*5=40,40+3=43; #### 8", Other),
        ("5+3=8,8*5=40,8*3=24;8*8=64;8*8=64 #### (5+3)*8", Other),
    ];

    #[test]
    fn classes_equal_those_found_by_hand() {
        for (trace, expected) in BY_HAND {
            assert_eq!(strategy("3,5,8=64:", trace), expected, "{trace}");
            assert_eq!(strategy("3,5,8=64", trace), Other, "malformed question");
        }
    }
}
