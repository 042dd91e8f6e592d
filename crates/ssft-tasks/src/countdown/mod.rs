//! Numbers to combine into a target, each question searched in four ways.
//!
//! A question is `3,5,8=64:`: make 64 of the numbers, each used exactly once, by `+ - * /`; all results on
//! the way are positive integers. A trace is the log of a search, then ` #### ` and the expression found:
//! bytes `0-9 + - * / = , ; ( ) #` and the space, the same for all strategies. Steps `a+b=c` are joined by
//! `,` into groups, groups by `;`. n numbers take n-1 steps.
//!
//! | strategy | `31,32,33=64:` | a group is | next step |
//! |---|---|---|---|
//! | `sum` | `32-31=1,33+1=34;33-31=2,32*2=64` | an attempt from the given numbers: n-1 steps | leaves numbers whose sum is nearest the target |
//! | `factor` | `33+31=64,64+32=96;33-31=2,32*2=64` | the same | comes nearest to a factor of the target, the larger one first |
//! | `beam` | `32-31=1,33+32=65,33-31=2;33+1=34,32*2=64` | a level: first n steps, one for each pair of neighbours in a ring, then one for every state | leaves numbers whose sum or product is nearest the target |
//! | `backward` | `64=2*32,2=33-31` | an attempt from the target | undoes one given number and leaves the smallest to reach; at last two given numbers, or none if no equation holds |
//!
//! Attempt k of a depth-first or backward search begins with the k-th best step and goes on with the best.
//! With two numbers left all forward strategies take the step that comes nearest to the target. The last
//! group is the one that succeeds. Expressions have parentheses only where the value needs them.
//! Two strategies may find different expressions; they never write the same trace.
//!
//! Sources: heuristics and depth-first logs follow "Stream of Search", arXiv 2404.03683.

mod canonical;
mod classify;
mod expression;
mod generate;
mod guide;
mod level;
mod numbers;
mod question;
mod search;
mod step;
mod strategies;
#[cfg(test)]
mod tests;
mod verify;

use super::{Strategy, Task, TaskData, TaskError, TaskSpec, Verdict};

/// The task `countdown` with the strategies `sum`, `factor`, `beam` and `backward`.
///
/// | difficulty | numbers | targets | attempts at most | distinct questions | bytes of a trace, mean/longest: `sum` | `factor` | `beam` | `backward` |
/// |---|---|---|---|---|---|---|---|---|
/// | 1 | three of 1 to 20 | 5 to 60 | 6 | 7,681 | 39/117 | 47/117 | 46/65 | 30/68 |
/// | 2 | three of 1 to 35 | 10 to 100 | 6 | 32,131 | 40/124 | 49/123 | 48/68 | 32/80 |
/// | 3 | four of 1 to 15 | 10 to 100 | 5 | 14,356 | 45/139 | 69/140 | 76/116 | 48/114 |
/// | 4 | four of 1 to 25 | 10 to 100 | 5 | about 95,000 | 45/153 | 73/160 | 83/120 | 52/117 |
///
/// Only questions count whose four traces exist within these attempts and within 120, 140, 140 and 220
/// bytes, differ, and are classified as themselves. At level 4 no more than 800,000 candidates are looked
/// at, which gives about 40,000 questions; [`TaskError::TooMany`] then says how many were found. `sum` gets
/// there at its first attempt in 74 to 81 % of the questions, `factor` in 35 to 37 %, `backward` in 72
/// and 76 % at levels 1 and 2, in 55 and 51 % at levels 3 and 4.
///
/// One target in twenty is held out: no training question has it. Half of the test questions have a
/// held-out target, the other half are merely unseen; where a level has too few of one kind, the other
/// kind fills up. The order of the given numbers is always ascending.
///
/// The `answer` of a record is the canonical form of what `sum` finds, one of several correct answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Countdown;

const NAME: &str = "countdown";

impl Task for Countdown {
    fn name(&self) -> &'static str {
        NAME
    }

    fn strategies(&self) -> &'static [&'static str] {
        &strategies::NAMES
    }

    fn max_difficulty(&self) -> u8 {
        level::MAX_DIFFICULTY
    }

    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError> {
        generate::make(spec)
    }

    /// The claim must be an expression of canonical numerals, operators and parentheses, of at most 16 numbers
    /// and 16 nested parentheses, without spaces. It is correct if it uses each given number exactly once and
    /// comes to the target, where all sums, differences, products and quotients are positive integers when
    /// each chain of `+ -` is worked out with all additions first, each of `* /` with all multiplications first.
    ///
    /// The answer is the canonical form: chains flattened, larger operands first, taken away behind added. What
    /// is no expression is its own answer, as written.
    ///
    /// Steps are correct if the answer is, every equation is true and all have their operation on the same
    /// side, and if either of these holds:
    /// - each group works on from the given numbers, using up two and adding the result at each step; the last
    ///   group leaves the target alone;
    /// - there are n-1 groups; each step of the first uses two given numbers, each step of a later one two
    ///   numbers of a state that the group before leads to; the very last result is the target;
    /// - operations on the right: each group starts from the target; each step splits the open number into a
    ///   given number not used yet and the next open number, or into the last two given numbers; the last
    ///   group uses up all.
    ///
    /// Steps are not compared with the claim: they may lead to the target in another way.
    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    /// Looks at the side on which operations stand, at the sizes of the groups and, between `sum` and
    /// `factor`, at which operations were chosen in which order; never at whether a result is true. Without
    /// `####` the last step and the last group may be cut off. A trace that changes its strategy is
    /// [`Strategy::Chimera`]. One whose attempts follow neither heuristic, or both equally, is
    /// [`Strategy::Other`], as is all that has no strategy's layout.
    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
