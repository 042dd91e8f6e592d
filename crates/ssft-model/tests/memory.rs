//! What loading and saving take, counted by the allocator: one test, since all threads of a process are counted together.

use burn::tensor::Device;
use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};
use ssft_model::checkpoint::load;
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors, TensorFile, config::Preset};
use std::alloc::System;
use std::fs::{self, File};
use std::io::BufWriter;

#[global_allocator]
static HEAP: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Most bytes that `work` held beyond what was there before.
fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    HEAP.reset_peak_memory();
    let before = HEAP.get_peak_memory();
    let done = work();
    (HEAP.get_peak_memory() - before, done)
}

#[test]
fn a_model_is_all_that_loading_it_takes() {
    let config = DecoderConfig { tie_word_embeddings: false, ..DecoderConfig::preset(Preset::Small, 8192) };
    let model_bytes = 4 * config.parameters();
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("model.safetensors");
    let model = Decoder::init(&config, 1, &Device::flex());
    let table = 4 * config.vocab_size * config.hidden_size;
    for precision in [Precision::F32, Precision::Bf16] {
        let mut out = BufWriter::new(File::create(&path).expect("a file"));
        let file = TensorFile::of_model(&model, precision);
        let (saving, written) = peak(|| pollster::block_on(file.write(&mut out)));
        written.expect("written");
        drop(out);
        // The largest tensor, once as it was read back and once as it is written.
        assert!(
            saving < 2 * table + (1 << 20),
            "saving {precision:?} held {saving} bytes, a table has {table}"
        );
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
    // Ten gigabytes on the word of a small file.
    let header = r#"{"model.embed_tokens.weight":{"dtype":"F32","shape":[2500000000],"data_offsets":[0,10000000000]}}"#;
    let padded = format!("{header:<1016}");
    fs::write(&path, [&1016u64.to_le_bytes()[..], padded.as_bytes()].concat()).expect("written");
    let (claimed, opened) = peak(|| StoredTensors::in_directory(home.path()));
    let error = opened.expect_err("ten gigabytes").to_string();
    assert!(error.starts_with("model.safetensors: is damaged or no safetensors file ("), "{error}");
    assert!(claimed < 1 << 20, "{claimed} bytes on the word of a header");
    // The same claim by a config: nothing is laid out before the files are known to fit.
    fs::write(&path, [&2u64.to_le_bytes()[..], b"{}"].concat()).expect("written");
    let wide = DecoderConfig { hidden_size: 1 << 31, vocab_size: 1 << 31, num_hidden_layers: 0, ..config };
    let (claimed, refused) = peak(|| {
        let stored = StoredTensors::in_directory(home.path()).expect("an empty file");
        load(&wide, &stored, None, &Device::flex()).map(drop).map_err(|error| error.to_string())
    });
    let error = refused.expect_err("no tensors");
    assert!(error.contains("model.embed_tokens.weight is missing; "), "{error}");
    assert!(claimed < 1 << 20, "{claimed} bytes on the word of a config");
}
