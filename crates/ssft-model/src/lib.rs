//! A decoder of the Llama, Qwen2 and Qwen3 families over packed trees of tokens, and its Hugging Face directory.
//!
//! ```text
//! config.json ─> DecoderConfig ─┐                            PackedTrees ─┐
//! *.safetensors ─> StoredTensors ┴─> checkpoint::load ─> Decoder ─> forward, prefill, extend ─> hidden states, TreeCache
//!                                                          └─> TensorFile ─> model.safetensors
//! ```
//!
//! | subject | files |
//! |---|---|
//! | shape of a model | [`family`], [`config`], [`rope_scaling`] |
//! | parts of the decoder, inside out | [`weight`], [`linear`], [`norm`], [`rotary`], [`attention`], [`feed_forward`], [`block`], [`decoder`] |
//! | tokens and what is computed of them | [`packing`], [`cache`] |
//! | parameters by name | [`parameters`], [`trained`], [`added`] |
//! | weights files | [`precision`], [`stored`], [`tensor_file`], [`checkpoint`] |
//! | whole model directories | [`directory`] |
//! | errors | [`error`] |
//!
//! Fields of the decoder have the names that Hugging Face gives the weights, so loading needs no table of names.
//!
//! # Where to extend it
//!
//! - A model family: an entry in [`family`].
//! - The parameters that are trained: a variant of [`trained::Trained`], which [`trained::freeze`] and optimizers follow.
//! - How weights are held in memory: [`weight`].
//! - A type of numbers in files: [`precision`].
//! - Positions of longer texts: [`rope_scaling`].
//!
//! Not in this crate: losses and optimizers (`ssft-train`), sampling (`ssft-decode`), tokenizers and chat templates
//! (`ssft-data`), and the operations themselves (`ssft-kernels`).

pub mod added;
pub mod attention;
pub mod block;
pub mod cache;
pub mod checkpoint;
pub mod config;
pub mod decoder;
pub mod directory;
pub mod error;
pub mod family;
pub mod feed_forward;
mod initializer;
pub mod linear;
#[cfg(not(target_family = "wasm"))]
mod mapped;
pub mod norm;
pub mod packing;
pub mod parameters;
pub mod precision;
pub mod rope_scaling;
pub mod rotary;
mod row_index;
#[cfg(not(target_family = "wasm"))]
mod shards;
pub mod stored;
pub mod tensor_file;
pub mod trained;
pub mod weight;

pub use config::DecoderConfig;
pub use decoder::Decoder;
pub use error::CheckpointError;
pub use precision::Precision;
pub use stored::{NamedTensor, StoredTensors};
pub use tensor_file::TensorFile;
