//! Text to integers: everything that happens to a question before a device sees it.
//!
//! ```text
//! dataset of others -> JSONL line -> Record -> EncodedQuestion -> PackedTree (tokens, positions, segments, targets)
//! ```
//!
//! No tensor and no device here: the crate compiles for the browser as it stands.

pub mod dataset;
pub mod encode;
pub mod error;
pub mod forks;
pub mod lines;
pub mod record;
pub mod template;
pub mod tokenizer;
pub mod whole_file;
pub mod words;
pub mod writer;
