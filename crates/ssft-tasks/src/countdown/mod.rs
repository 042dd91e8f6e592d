//! Task `countdown`: combine given numbers into a target, each question searched in four ways.
//!
//! # Question
//!
//! `3,5,8=64:`: reach 64 with `+ - * /`, using each given number exactly once; all intermediate results are positive
//! integers. The given numbers are in ascending order.
//!
//! # Traces
//!
//! The log of a search, then ` #### ` and the expression found, for example `5+3=8,8*8=64 #### (5+3)*8`. Steps `a+b=c`
//! are joined by `,` into groups, groups by `;`. Characters: `0-9 + - * / = , ; ( ) #` and space. n numbers need n-1
//! steps; the last group reaches the target.
//!
//! | strategy | log of `31,32,33=64:` | a group is | next step |
//! |---|---|---|---|
//! | `sum` | `32-31=1,33+1=34;33-31=2,32*2=64` | an attempt from the given numbers: n-1 steps | leaves numbers whose sum is nearest to the target |
//! | `factor` | `33+31=64,64+32=96;33-31=2,32*2=64` | the same | comes nearest to a factor of the target, the larger factor first |
//! | `beam` | `32-31=1,33+32=65,33-31=2;33+1=34,32*2=64` | a level: first n steps, one for each pair of neighbors in a ring, then one for each state | leaves numbers whose sum or product is nearest to the target |
//! | `backward` | `64=2*32,2=33-31` | an attempt from the target | undoes one given number and leaves the smallest number to reach; the last step has two given numbers, and is absent if no equation holds |
//!
//! Attempt k of `sum`, `factor` and `backward` starts with the k-th best step and continues with the best. With two
//! numbers left, all forward strategies take the step nearest to the target. Expressions have parentheses only where
//! the value needs them. Two strategies may find different expressions, but never write the same trace.
//!
//! The `answer` of a record is the canonical form of the expression of `sum`, one of several correct answers.
//!
//! # Levels
//!
//! | difficulty | numbers | targets | most attempts | distinct questions | bytes of a trace, mean/longest: `sum` | `factor` | `beam` | `backward` |
//! |---|---|---|---|---|---|---|---|---|
//! | 1 | three of 1 to 20 | 5 to 60 | 6 | 7,681 | 39/117 | 47/117 | 46/65 | 30/68 |
//! | 2 | three of 1 to 35 | 10 to 100 | 6 | 32,131 | 40/124 | 49/123 | 48/68 | 32/80 |
//! | 3 | four of 1 to 15 | 10 to 100 | 5 | 14,356 | 45/139 | 69/140 | 76/116 | 48/114 |
//! | 4 | four of 1 to 25 | 10 to 100 | 5 | about 95,000 | 45/153 | 73/160 | 83/120 | 52/117 |
//!
//! A question is accepted if all four strategies reach the target within these attempts, their traces have at most
//! 120, 140, 140 and 220 bytes (by level), differ, and are classified correctly. At level 4 at most 800,000 candidates
//! are examined, which gives about 40,000 questions; beyond that [`TaskError::TooMany`] reports the number found. `sum`
//! succeeds at its first attempt in 74 to 81 % of the questions, `factor` in 35 to 37 %, `backward` in 72 and 76 % at
//! levels 1 and 2, in 55 and 51 % at levels 3 and 4.
//!
//! One of every 20 consecutive targets is held out: no training question has it. Half of the test questions have a
//! held-out target. If a level has too few of one kind, the other kind fills up.
//!
//! # Verification
//!
//! The claimed answer must be an expression of canonical numerals, operators and parentheses without spaces, with at
//! most 16 numbers and 16 nested parentheses. It is correct if it uses each given number exactly once, equals the
//! target, and all sums, differences, products and quotients are positive integers when each chain of `+ -` is
//! evaluated with all additions first and each chain of `* /` with all multiplications first.
//!
//! The answer of the verdict is the canonical form: chains flattened, larger operands first, added operands before
//! subtracted ones. A claim that is not an expression is its own answer, as written.
//!
//! The steps are correct if the answer is, all equations are true, all have their operation on the same side of `=`,
//! and one of these holds:
//! - Each group starts with the given numbers; each step uses two available numbers and adds its result; the last
//!   group leaves only the target.
//! - There are n-1 groups; each step of the first uses two given numbers, each step of a later one two numbers of a
//!   state that the previous group produces; the last result is the target.
//! - Operations are on the right: each group starts with the target; each step splits the open number into an unused
//!   given number and the next open number, or into the last two given numbers; the last group uses all numbers.
//!
//! The steps are not compared with the claimed expression.
//!
//! # Classification
//!
//! By the side on which operations stand, the sizes of the groups, and, between `sum` and `factor`, the operations
//! chosen; results are ignored. Without `####` the last step and the last group may be cut off. A trace that changes its
//! strategy is [`Strategy::Chimera`]. Attempts that follow neither heuristic, or both equally, are [`Strategy::Other`],
//! as is any other layout. See `classify.rs` for the rules.
//!
//! Source: heuristics and depth-first logs follow "Stream of Search", arXiv 2404.03683.

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

use crate::error::TaskError;
use crate::task::{Strategy, Task, TaskData, TaskSpec, Verdict};

/// The task `countdown`; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Countdown;

impl Task for Countdown {
    fn name(&self) -> &'static str {
        level::NAME
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

    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
