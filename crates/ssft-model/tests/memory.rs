//! Memory that loading and saving a model need.

mod heap;

use burn::tensor::Device;
use heap::{alone, peak};
use ssft_model::checkpoint::load;
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors, TensorFile, config::Preset};
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::Path;

fn config() -> DecoderConfig {
    DecoderConfig { tie_word_embeddings: false, ..DecoderConfig::preset(Preset::Small, 8192) }
}

fn file_of(model: &Decoder, precision: Precision, path: &Path) -> usize {
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let file = TensorFile::of_model(model, precision);
    let (saving, written) = peak(|| pollster::block_on(file.write(&mut out)));
    written.expect("written");
    saving
}

#[test]
fn saving_needs_the_largest_tensor_twice() {
    let (_alone, config, home) = (alone(), config(), tempfile::tempdir().expect("a directory"));
    let model = Decoder::init(&config, 1, &Device::flex());
    let table = 4 * config.vocab_size * config.hidden_size;
    for precision in [Precision::F32, Precision::Bf16] {
        let saving = file_of(&model, precision, &home.path().join("model.safetensors"));
        // Two copies of the largest tensor: as read back, and as written.
        assert!(
            saving < 2 * table + (1 << 20),
            "saving {precision:?} held {saving} bytes, a table has {table}"
        );
    }
}

#[test]
fn loading_needs_no_more_than_the_model() {
    let (_alone, config, home) = (alone(), config(), tempfile::tempdir().expect("a directory"));
    let model_bytes = 4 * config.parameters();
    let model = Decoder::init(&config, 1, &Device::flex());
    for precision in [Precision::F32, Precision::Bf16] {
        file_of(&model, precision, &home.path().join("model.safetensors"));
        let (loading, loaded) = peak(|| {
            let stored = StoredTensors::in_directory(home.path()).expect("whole");
            load(&config, &stored, None, &Device::flex().autodiff()).expect("fits")
        });
        assert!(
            loading <= model_bytes + model_bytes / 10,
            "loading {precision:?} held {loading} bytes, the model has {model_bytes}"
        );
        drop(loaded);
    }
}

/// Headers of small files that claim a tensor of 10 GB, or a header of 90 MB.
#[test]
fn headers_are_checked_before_memory_is_allocated() {
    let (_alone, home) = (alone(), tempfile::tempdir().expect("a directory"));
    let path = home.path().join("model.safetensors");
    let header = r#"{"model.embed_tokens.weight":{"dtype":"F32","shape":[2500000000],"data_offsets":[0,10000000000]}}"#;
    let long = [&90_000_000u64.to_le_bytes()[..], b"{}"].concat();
    for bytes in [[&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat(), long] {
        fs::write(&path, bytes).expect("written");
        let (claimed, opened) = peak(|| StoredTensors::in_directory(home.path()));
        let error = opened.expect_err("not there").to_string();
        assert!(error.starts_with("model.safetensors: is damaged or no safetensors file ("), "{error}");
        assert!(claimed < 1 << 20, "{claimed} bytes allocated for a header");
    }
}

/// The tensors are compared with the shape before a model is allocated.
#[test]
fn shapes_are_checked_before_memory_is_allocated() {
    let (_alone, home) = (alone(), tempfile::tempdir().expect("a directory"));
    let empty = [&2u64.to_le_bytes()[..], b"{}"].concat();
    fs::write(home.path().join("model.safetensors"), empty).expect("written");
    let wide = DecoderConfig { hidden_size: 1 << 31, vocab_size: 1 << 31, num_hidden_layers: 0, ..config() };
    let (claimed, refused) = peak(|| {
        let stored = StoredTensors::in_directory(home.path()).expect("an empty file");
        load(&wide, &stored, None, &Device::flex()).map(drop).map_err(|error| error.to_string())
    });
    let error = refused.expect_err("no tensors");
    assert!(error.contains("model.embed_tokens.weight is missing; "), "{error}");
    assert!(claimed < 1 << 20, "{claimed} bytes allocated for a config");
}
