//! Evaluation: from answers to figures.
//!
//! Reading order:
//!
//! | module | subject |
//! |---|---|
//! | [`format`](mod@format) | [`AnswerFormat`](format::AnswerFormat): place and canonical form of an answer in text |
//! | [`answer`] | [`Judge`](answer::Judge): answer of a text, and whether it is correct |
//! | [`vote`] | [`majority`](vote::majority) |
//! | [`measures`] | Pass@k, consensus, mutual information, agreement |
//! | [`bootstrap`] | intervals by resampling of the questions |
//! | [`evaluation`] | [`Evaluation`](evaluation::Evaluation): all figures and samples, the content of `eval.json` |
//! | `by_k.rs` | maps from k to a figure, read from JSON |
//! | [`score`](mod@score) | [`score()`](fn@score::score): answers to [`Evaluation`](evaluation::Evaluation) |
//! | `protocol.rs`, `run.rs` | [`Protocol`], [`evaluate`]: decode and judge all questions |

pub mod answer;
pub mod bootstrap;
mod by_k;
pub mod evaluation;
pub mod format;
pub mod measures;
mod protocol;
mod run;
pub mod score;
pub mod vote;

pub use protocol::{Protocol, default_ks, longest_answer};
pub use run::evaluate;
