//! A Llama-family decoder over packed trees of tokens, and its Hugging Face directory.
//!
//! Read it from the inside out: [`rotary`], [`norm`], [`linear`] -> [`attention`], [`feed_forward`] ->
//! [`block`] -> [`decoder`]; [`cache`] holds what forked decoding shares, [`checkpoint`] what is on disk.
//! Fields carry the names that Hugging Face gives the weights, so loading needs no map.

pub mod attention;
pub mod block;
pub mod cache;
pub mod checkpoint;
pub mod config;
pub mod decoder;
pub mod feed_forward;
pub mod linear;
pub mod norm;
pub mod rotary;

pub use checkpoint::CheckpointError;
pub use config::DecoderConfig;
pub use decoder::Decoder;
