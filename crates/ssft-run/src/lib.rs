//! A training run, as every face shares it.
//!
//! ```text
//! settings ──> questions ──> encoding ──> course ──> training: Step, Save, Evaluated, Probed ──> the face stores and shows
//! (declared     (task or     (template,    (model,
//!  once)         records)     forks)        trainer)
//! ```
//!
//! [`settings`] declares every setting with its default, range and help; a face adds a layer of values. [`questions`] and
//! [`encoding`] turn questions into rows of tokens, [`Course`] trains on them, [`training`] is the loop. [`store`] reads and writes run
//! directories (not in the browser). Terminal, page, clock and the spelling of settings in messages ([`spelled`]) belong to the
//! faces.

pub mod course;
#[cfg(not(target_family = "wasm"))]
pub mod day;
#[cfg(not(target_family = "wasm"))]
pub mod device;
pub mod encoding;
pub mod error;
mod fits;
pub mod forking;
pub mod in_memory;
pub mod model_text;
pub mod options;
pub mod questions;
pub mod settings;
mod spelling;
pub mod step_test;
#[cfg(not(target_family = "wasm"))]
pub mod store;
pub mod training;

pub use course::{Course, DecodeRows};
pub use encoding::{Rendering, Vocabulary};
pub use error::RunError;
pub use fits::check_binding;
pub use forking::WantedForks;
pub use model_text::ModelText;
pub use options::TrainOptions;
pub use questions::{QuestionForm, Split, task};
pub use spelling::spelled;
