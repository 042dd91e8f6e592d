//! Forked decoding: one prefill, N continuations, a vote.
//!
//! ```text
//! prompt ──prefill──> cache ─┬─ <think1> ──> text ─┐
//!                            ├─ <think2> ──> text ─┼─> answers ──> vote
//!                            └─ ..                ─┘
//! ```
//!
//! Read [`sample`] -> [`fork`] for decoding, [`answer`] (with [`mod@format`]) -> [`vote`] for what it comes to, [`generation`]
//! for all of it on one prompt, and
//! [`measures`], [`bootstrap`] -> [`score`] -> [`evaluate`] for the figures of a whole model.

pub mod answer;
pub mod bootstrap;
pub mod choice;
pub mod evaluate;
pub mod fork;
pub mod format;
pub mod generation;
pub mod measures;
pub mod sample;
pub mod score;
mod text;
pub mod vote;

pub use answer::Judge;
pub use fork::{Continuation, DecodeError, Finish, decode};
pub use format::AnswerFormat;
pub use score::Evaluation;
