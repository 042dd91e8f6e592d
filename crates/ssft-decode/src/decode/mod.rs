//! Decoding: from a prompt and the lead of each row to text.
//!
//! Reading order:
//!
//! | module | subject |
//! |---|---|
//! | [`request`] | [`Question`](request::Question), [`RowStart`](request::RowStart), [`Settings`](request::Settings): the input |
//! | [`continuation`] | [`Continuation`](continuation::Continuation), [`Piece`](continuation::Piece): the output |
//! | [`fork`] | [`decode`](fork::decode): prefill, then growth of all rows in step |
//! | `row.rs`, `text.rs` | state of a growing row, and of its text with stop strings |
//! | `readback.rs`, [`sample`] | next token of each row: device to host, sampling |
//! | [`choice`] | [`ForkChoice`](choice::ForkChoice): the forks that answer |
//! | [`error`] | [`DecodeError`](error::DecodeError) |

pub mod choice;
pub mod continuation;
pub mod error;
pub mod fork;
mod readback;
pub mod request;
mod row;
pub mod sample;
mod text;
