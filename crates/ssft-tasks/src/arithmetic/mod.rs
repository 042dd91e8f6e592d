//! Task `arithmetic`: sums and products of a few digits, each worked out in four ways.
//!
//! # Question
//!
//! `a+b=` with two numbers of D digits, or `a*b=` with a number of D digits and a digit 2 to 9, for example `347+285=`
//! and `47*6=`.
//!
//! # Traces
//!
//! Steps joined by `;`, then ` #### ` and the answer, for example `7+5=12;4+8+1=13;3+2+1=6 #### 632`. Characters:
//! `0-9 + * - = ; #` and space.
//!
//! | strategy | steps of `347+285=` | steps of `47*6=` | a step is |
//! |---|---|---|---|
//! | `lsb` | `7+5=12;4+8+1=13;3+2+1=6` | `7*6=42;4*6+4=28` | one column of digits, and the carry unless it is 0 |
//! | `msb` | `300+200=500;500+40+80=620;620+7+5=632` | `40*6=240;240+7*6=282` | one place, added to the running total |
//! | `place` | `300+40+7;200+80+5;500+120+12` | `40+7;240+42` | a sum without `=`: an operand by places; last the answer |
//! | `round` | `285=300-15;347+300-15=647-15=632` | `47=50-3;50*6-3*6=300-18=282` | a difference: an operand rounded up, then compensated |
//!
//! A place that holds 0 is kept as `0`, and an operand that is already round loses 0 (`300=300-0`). The form therefore
//! depends on D only, and no two strategies write the same step.
//!
//! # Levels
//!
//! | difficulty | digits D | largest sum | largest product | distinct questions |
//! |---|---|---|---|---|
//! | 1 | 2 | 198 | 891 | 4,815 |
//! | 2 | 3 | 1,998 | 8,991 | 412,650 |
//! | 3 | 4 | 19,998 | 89,991 | 40,576,500 |
//! | 4 | 5 | 199,998 | 899,991 | 4,050,765,000 |
//!
//! Half of the questions are products, up to the number of products of the level (720 at level 1); the rest are sums.
//! `a+b` and `b+a` count as one question, of which at most one occurs.
//!
//! One of every 20 consecutive answers is held out: no training question has it. Half of the test questions have a
//! held-out answer. If a level has too few of one kind, the other kind fills up.
//!
//! # Verification
//!
//! The claimed answer must be the canonical decimal numeral of the result: `0632` and `+632` are wrong for 632. Each
//! equation must be true, with canonical numerals. Sums without `=` must equal the operands in turn, then the answer. A
//! true step that leads nowhere passes.
//!
//! # Classification
//!
//! By operators and the shape of the operands (one digit, round number, any number); values are ignored, so wrong
//! numbers do not change the class. See `classify.rs` for the table of forms. A step without a form, or a malformed
//! question, gives [`Strategy::Other`]. Without `####` the last step may be cut off; it counts only if it has a form
//! and a right-hand side.
//!
//! Source: the strategies extend the plain and reversed formats of "Teaching Arithmetic to Small Transformers",
//! arXiv 2307.03381.

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

use crate::error::TaskError;
use crate::task::{Strategy, Task, TaskData, TaskSpec, Verdict};

/// The task `arithmetic`; see the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arithmetic;

impl Task for Arithmetic {
    fn name(&self) -> &'static str {
        generate::NAME
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

    fn verify(&self, question: &str, trace: &str) -> Verdict {
        verify::verdict(question, trace)
    }

    fn classify(&self, question: &str, trace: &str) -> Strategy {
        classify::strategy(question, trace)
    }
}
