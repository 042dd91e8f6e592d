//! Reading and writing a Hugging Face model directory: `config.json`, weights, tokenizer files and `forks.json`.
//!
//! This module deals in file names and contents; the caller has the storage, which is a disk or a browser's file system.
//!
//! ```
//! use burn::tensor::Device;
//! use ssft_data::encode::Encoder;
//! use ssft_data::forks::{CoverageGraph, ForkLead, ForkTable};
//! use ssft_data::template::Template;
//! use ssft_data::tokenizer::Tokenizer;
//! use ssft_model::config::Preset;
//! use ssft_model::directory::{Carried, TextSide, model_files};
//! use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors};
//! use std::collections::BTreeMap;
//!
//! let tokenizer = Tokenizer::bytes(2)?; // two forking tokens
//! let config = DecoderConfig::preset(Preset::Toy, tokenizer.vocab_size());
//! let model = Decoder::init(&config, 1, &Device::flex());
//! let lead = ForkLead::bare();
//! let encoder = Encoder::new(tokenizer, Template::plain(), &lead, 512)?;
//! let forks = ForkTable::new(encoder.tokenizer().forks(), lead, CoverageGraph::default());
//!
//! let mut files = BTreeMap::new();
//! for (name, content) in model_files(&model, &encoder, &forks, &Carried::default(), Precision::F32)? {
//!     let mut bytes = Vec::new();
//!     pollster::block_on(content.write(&mut bytes))?;
//!     files.insert(name, bytes);
//! }
//!
//! let side = TextSide::read(&|name| Ok(files.get(name).cloned()))?;
//! assert_eq!((&side.shape, side.tokenizer.forks().len()), (&config, 2));
//! let weights = StoredTensors::in_memory("model.safetensors", files["model.safetensors"].clone())?;
//! assert_eq!(side.load(&weights, &Device::flex())?.model.config(), &config);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config_json;
mod json_fields;
mod read;
mod rope_json;
pub mod text_files;
mod write;

pub use crate::error::DirectoryError;
pub use read::{Carried, LoadedModel, ReadFile, TextSide};
pub use write::{Content, Files, model_files};
