//! Text to token ids: records, tokenizer, forking tokens, chat templates.
//!
//! ```text
//! JSONL line ──dataset──> Record ──Encoder (Template + Tokenizer)──> EncodedQuestion
//! ```
//!
//! Reading order:
//!
//! | module | subject |
//! |---|---|
//! | [`record`] | [`Record`](record::Record): one question with its correct traces |
//! | [`dataset`] | JSONL files of records, read and checked line by line |
//! | [`tokenizer`] | [`Tokenizer`](tokenizer::Tokenizer): text to token ids and back |
//! | [`forks`] | forking tokens: names, fixed text around them, coverage graph, `forks.json` |
//! | [`template`] | [`Template`](template::Template): chat templates in the dialect of transformers |
//! | [`encode`] | [`Encoder`](encode::Encoder): record to token ids |
//! | [`note`] | [`Notes`](note::Notes): parts of a question that never reach the model |
//! | [`whole_file`], [`writer`] | files that are replaced in one step |
//! | [`json`] | JSON files of other programs, read leniently and written back as they came |
//! | [`lines`], [`words`], [`anything`] | lines of bounded length, wording of messages, whether a value holds anything |
//! | [`error`] | every error of the crate |
//!
//! The crate uses no tensor and no device, and compiles for WebAssembly.

pub mod anything;
pub mod dataset;
pub mod encode;
pub mod error;
pub mod forks;
pub mod json;
pub mod lines;
pub mod note;
pub mod random;
pub mod record;
pub mod template;
pub mod tokenizer;
pub mod whole_file;
pub mod words;
pub mod writer;
