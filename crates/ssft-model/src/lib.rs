//! A Llama-family decoder over packed trees of tokens, and its Hugging Face directory.
//!
//! Read it from the inside out: [`rotary`], [`norm`], [`linear`] -> [`attention`], [`feed_forward`] ->
//! [`block`] -> [`decoder`]; [`cache`] holds what forked decoding shares. On disk: [`config`] and [`stored`] ->
//! [`checkpoint`] -> a model -> [`tensor_file`]; [`directory`] reads all of it.
//! Fields carry the names that Hugging Face gives the weights, so loading needs no map.

pub mod added;
pub mod attention;
pub mod block;
pub mod cache;
pub mod checkpoint;
pub mod config;
pub mod decoder;
pub mod directory;
pub mod feed_forward;
#[cfg(not(target_family = "wasm"))]
mod index;
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
pub mod stored;
pub mod tensor_file;

pub use checkpoint::CheckpointError;
pub use config::DecoderConfig;
pub use decoder::Decoder;
pub use precision::Precision;
pub use stored::StoredTensors;
pub use tensor_file::TensorFile;
