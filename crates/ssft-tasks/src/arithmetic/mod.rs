//! Sums and products of a few digits, each worked out in four ways.
//!
//! A question is `a+b=` with two numbers of D digits, or `a*b=` with a number of D digits and a digit
//! 2 to 9; D is the difficulty plus one. A trace is steps joined by `;`, then ` #### ` and the answer:
//! bytes `0-9 + * - = ; #` and the space, the same for all strategies.
//!
//! | strategy | `347+285=` | `47*6=` | form of a step |
//! |---|---|---|---|
//! | `lsb` | `7+5=12;4+8+1=13;3+2+1=6` | `7*6=42;4*6+4=28` | one column of digits, and the carry unless it is 0 |
//! | `msb` | `300+200=500;500+40+80=620;620+7+5=632` | `40*6=240;240+7*6=282` | one place, added to the running total |
//! | `place` | `300+40+7;200+80+5;500+120+12` | `40+7;240+42` | a bare sum: an operand by places, at last the answer by places |
//! | `round` | `285=300-15;347+300-15=647-15=632` | `47=50-3;50*6-3*6=300-18=282` | a difference: one operand rounded up, then compensated |
//!
//! A place that holds 0 is kept (as `0`) and an operand that is round already loses 0 (`300=300-0`),
//! so the form depends on D alone and no two strategies ever write the same step.
//!
//! Source: the four ways extend the plain and reversed formats of "Teaching Arithmetic to Small
//! Transformers", arXiv 2307.03381.

mod classify;
mod generate;
mod pool;
mod question;
mod split;
mod step;
mod strategies;
#[cfg(test)]
mod tests;
mod verify;

use super::{Strategy, Task, TaskData, TaskError, TaskSpec, Verdict};

/// The task `arithmetic`: sums and products with the strategies `lsb`, `msb`, `place` and `round`.
///
/// | difficulty | digits D | largest sum | largest product | distinct questions |
/// |---|---|---|---|---|
/// | 1 | 2 | 198 | 891 | 4,815 |
/// | 2 | 3 | 1,998 | 8,991 | 412,650 |
/// | 3 | 4 | 19,998 | 89,991 | 40,576,500 |
/// | 4 | 5 | 199,998 | 899,991 | 4,050,765,000 |
///
/// Half of the questions are products, as long as these last (level 1 has 720); sums fill the rest.
/// `a+b` and `b+a` count as one question: at most one of them occurs.
///
/// One answer in twenty is held out: no training question has it. Half of the test questions have a
/// held-out answer, the other half are merely unseen; where a level has too few of one kind, the
/// other kind fills up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arithmetic;

const NAME: &str = "arithmetic";

impl Task for Arithmetic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn strategies(&self) -> &'static [&'static str] {
        &strategies::NAMES
    }

    fn max_difficulty(&self) -> u8 {
        generate::MAX_DIFFICULTY
    }

    fn make(&self, spec: &TaskSpec) -> Result<TaskData, TaskError> {
        generate::make(spec)
    }

    /// The claim must be the canonical decimal numeral: `0632` and `+632` are wrong for 632, and a
    /// step with such a numeral is not true. A bare sum must equal the operands in turn, then the answer.
    /// Steps are judged by their numbers alone: one that is true but leads nowhere passes.
    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    /// Looks at operators and at the shape of the operands (one digit, round, any), never at the value
    /// of a right-hand side: wrong numbers do not change the class. A step of no strategy's form, or a
    /// malformed question, gives [`Strategy::Other`]. Without `####` the last step may have been cut
    /// off; it then counts only if it has a form and a right-hand side.
    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
