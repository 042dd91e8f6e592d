//! A Hugging Face model directory, read and written.
//!
//! Files have names and contents only; a face keeps them on a disk or in a browser's storage.

mod error;
mod read;
pub mod text_files;
mod write;

pub use error::DirectoryError;
pub use read::{Carried, LoadedModel, ReadFile, TextSide};
pub use write::{Content, Files, model_files};
