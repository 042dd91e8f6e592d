//! Forked decoding: one prefill, N continuations, a vote.
//!
//! ```text
//! prompt ──prefill──> cache ─┬─ <think1> ──> text ─┐
//!                            ├─ <think2> ──> text ─┼─> answers ──> vote
//!                            └─ ..                ─┘
//! ```

pub mod answer;
pub mod evaluate;
pub mod fork;
pub mod sample;
pub mod vote;

pub use evaluate::Evaluation;
pub use fork::{Continuation, DecodeError, Finish, decode_forks};
