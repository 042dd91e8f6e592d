//! Forked decoding and evaluation: one prefill of the prompt, one continuation per fork, a vote.
//!
//! ```text
//! prompt ──prefill──> cache ─┬─ <think1> ──> text ─┐
//!                            ├─ <think2> ──> text ─┼─> answers ──> vote
//!                            └─ ..                ─┘
//! ```
//!
//! Two folders, of which the second uses the first; [`generation`] uses both:
//!
//! | module | subject |
//! |---|---|
//! | [`decode`](mod@decode) | [`decode()`]: prefill and growth of the rows, sampling, streaming text, choice of forks |
//! | [`evaluate`](mod@evaluate) | [`evaluate()`]: answers, judge, vote, measures, intervals, [`Evaluation`] |
//! | [`generation`] | [`generate`]: one prompt, answered by several forks, with a vote |
//!
//! ```
//! use burn::tensor::Device;
//! use ssft_data::{encode::Encoder, forks::ForkLead, template::Template, tokenizer::Tokenizer};
//! use ssft_decode::{AnswerFormat, Judge, Request, Sampling, generate};
//! use ssft_model::{Decoder, DecoderConfig, config::Preset};
//! use std::ops::ControlFlow;
//!
//! let tokenizer = Tokenizer::bytes(2)?;
//! let config = DecoderConfig::preset(Preset::Toy, tokenizer.vocab_size());
//! let model = Decoder::init(&config, 1, &Device::flex());
//! let encoder = Encoder::new(tokenizer, Template::plain(), &ForkLead::bare(), 64)?;
//!
//! let request = Request {
//!     prompt: "1+1=".to_owned(),
//!     forks: vec![0, 1],
//!     sampling: Sampling::GREEDY,
//!     stop: Vec::new(),
//!     max_tokens: 4,
//!     judge: Judge::Reference(AnswerFormat::Exact),
//!     seed: 1,
//! };
//! let prompt = encoder.prompt_text("-", &request.prompt)?;
//! let listen = async |_: ssft_decode::Piece<'_>| ControlFlow::Continue(());
//! let generation = pollster::block_on(generate(&model, &encoder, prompt, &request, listen))?;
//! assert_eq!(generation.forks.iter().map(|fork| fork.fork).collect::<Vec<_>>(), [1, 2]);
//! assert!(generation.forks.iter().all(|fork| fork.tokens.len() <= 4));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod decode;
pub mod evaluate;
pub mod generation;

// Short paths of the modules that other crates name.
pub use decode::{choice, fork, sample};
pub use evaluate::{answer, bootstrap, format, measures, score, vote};

pub use decode::choice::{ForkChoice, ForkChoiceError};
pub use decode::fork::{Continuation, DecodeError, Finish, Piece, Question, RowStart, Settings, decode};
pub use decode::sample::Sampling;
pub use evaluate::answer::{Judge, Judgement};
pub use evaluate::evaluation::{Evaluation, Figures, ForkScore, Sample};
pub use evaluate::format::AnswerFormat;
pub use evaluate::measures::pass_at_k;
pub use evaluate::vote::{Vote, majority};
pub use evaluate::{Protocol, evaluate};
pub use generation::{ForkAnswer, Generation, Request, Votes, generate};
