//! Loading and saving of weights files, intact and damaged ones.

mod shapes;

use burn::tensor::Device;
use shapes::shapes;
use ssft_model::added::AddedTokens;
use ssft_model::checkpoint::{NamedTensor, load};
use ssft_model::{Decoder, DecoderConfig, Precision, StoredTensors, TensorFile};
use std::fs;
use std::path::Path;

fn model(config: &DecoderConfig) -> Decoder {
    Decoder::init(config, 7, &Device::flex())
}

fn weights(model: &Decoder) -> Vec<NamedTensor> {
    pollster::block_on(TensorFile::of_model(model, Precision::F32).read()).expect("readback")
}

fn file(model: &Decoder, precision: Precision) -> Vec<u8> {
    let mut bytes = Vec::new();
    pollster::block_on(TensorFile::of_model(model, precision).write(&mut bytes)).expect("written");
    bytes
}

/// Names of the tensors that the `safetensors` library finds in a file.
fn names_in(bytes: &[u8]) -> Vec<String> {
    let file = safetensors::SafeTensors::deserialize(bytes).expect("a safetensors file");
    file.names().into_iter().map(str::to_owned).collect()
}

#[test]
fn a_loaded_model_is_the_saved_one() {
    let home = tempfile::tempdir().expect("a directory");
    let path = home.path().join("model.safetensors");
    for config in shapes() {
        let saved = weights(&model(&config));
        assert_eq!(saved.iter().map(|tensor| tensor.values.len()).sum::<usize>(), config.parameters());
        for precision in [Precision::F32, Precision::F16, Precision::Bf16] {
            let bytes = file(&model(&config), precision);
            assert_eq!(names_in(&bytes).len(), saved.len());
            fs::write(&path, bytes).expect("written");
            let stored = StoredTensors::in_directory(home.path()).expect("whole");
            assert_eq!(stored.precision(), precision);
            let again = weights(&load(&config, &stored, None, &Device::flex()).expect("fits"));
            let rounded = |value: f32| match precision {
                Precision::F32 => value,
                Precision::F16 => half::f16::from_f32(value).to_f32(),
                Precision::Bf16 => half::bf16::from_f32(value).to_f32(),
            };
            let mut expected = saved.clone();
            expected.iter_mut().flat_map(|tensor| &mut tensor.values).for_each(|v| *v = rounded(*v));
            assert_eq!(again, expected, "{precision:?}");
        }
    }
}

/// Writes `parts` as numbered files, and an index with the pairs of tensor and file in `listed`.
fn shard(home: &Path, parts: &[Vec<NamedTensor>], listed: &[(&str, &str)]) {
    for (number, tensors) in parts.iter().enumerate() {
        let tensors: Vec<_> = tensors
            .iter()
            .map(|tensor| (tensor.name.clone(), (tensor.shape.clone(), le_bytes(&tensor.values))))
            .collect();
        let views = tensors.iter().map(|(name, (shape, bytes))| {
            let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes);
            (name, view.expect("consistent"))
        });
        let bytes = safetensors::serialize(views, None).expect("serializes");
        fs::write(home.join(format!("part-{number}.safetensors")), bytes).expect("written");
    }
    let map: serde_json::Map<_, _> =
        listed.iter().map(|&(name, file)| (name.to_owned(), serde_json::json!(file))).collect();
    let index = serde_json::json!({"metadata": {"total_size": 1}, "weight_map": map});
    fs::write(home.join("model.safetensors.index.json"), index.to_string()).expect("written");
}

fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn a_model_in_parts_is_the_whole_one() {
    let config = &shapes()[1];
    let saved = weights(&model(config));
    let home = tempfile::tempdir().expect("a directory");
    let parts: Vec<Vec<NamedTensor>> = (0..3)
        .map(|part| saved.iter().enumerate().filter(|(n, _)| n % 3 == part).map(|(_, t)| t.clone()).collect())
        .collect();
    let files = ["part-0.safetensors", "part-1.safetensors", "part-2.safetensors"];
    let listed: Vec<(&str, &str)> =
        saved.iter().enumerate().map(|(n, tensor)| (tensor.name.as_str(), files[n % 3])).collect();
    shard(home.path(), &parts, &listed);
    let stored = StoredTensors::in_directory(home.path()).expect("whole");
    assert_eq!(weights(&load(config, &stored, None, &Device::flex()).expect("fits")), saved);
}

#[test]
fn every_mismatch_is_listed() {
    let config = &shapes()[0];
    let refuse = |tensors: &[NamedTensor], config: &DecoderConfig| {
        let stored = StoredTensors::of_host(tensors).expect("a file");
        load(config, &stored, None, &Device::flex()).expect_err("mismatches").to_string()
    };
    let mut saved = weights(&model(config));
    saved.retain(|tensor| tensor.name != "model.norm.weight");
    saved[0].shape = vec![saved[0].values.len()];
    saved.push(NamedTensor { name: "extra".into(), shape: vec![1], values: vec![0.0] });
    assert_eq!(
        refuse(&saved, config),
        "the weights do not fit config.json: model.embed_tokens.weight has shape [1200], expected [50, 24]; model.norm.weight is missing; extra has no place in the model"
    );
    let deep = DecoderConfig { num_hidden_layers: 4_000_000_000, ..config.clone() };
    assert_eq!(
        refuse(&saved, &deep),
        "the weights do not fit config.json: 4000000000 layers cannot be in 20 tensors"
    );
}

/// A tied head that is stored nevertheless, and the rotary frequencies of old checkpoints.
#[test]
fn redundant_tensors_are_accepted() {
    let config = &shapes()[0];
    let mut saved = weights(&model(config));
    saved.push(NamedTensor { name: "lm_head.weight".into(), ..saved[0].clone() });
    let old = "model.layers.0.self_attn.rotary_emb.inv_freq";
    saved.push(NamedTensor { name: old.into(), shape: vec![2], values: vec![1.0, 0.1] });
    let loaded = |saved: &[NamedTensor]| {
        let stored = StoredTensors::of_host(saved).expect("a file");
        load(config, &stored, None, &Device::flex()).map(|model| weights(&model))
    };
    assert_eq!(loaded(&saved).expect("both are redundant"), saved[..saved.len() - 2]);
    // transformers would use the stored head.
    let head = saved.iter_mut().find(|tensor| tensor.name == "lm_head.weight").expect("is there");
    head.values[7] += 1.0;
    assert_eq!(
        loaded(&saved).expect_err("another head").to_string(),
        "config.json: tie_word_embeddings is true, but lm_head.weight is stored and differs from model.embed_tokens.weight; set it to false to use both"
    );
}

#[test]
fn weights_that_are_not_finite_are_refused() {
    let config = &shapes()[0];
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut saved = weights(&model(config));
        *saved[3].values.last_mut().expect("some") = value;
        let stored = StoredTensors::of_host(&saved).expect("a file");
        let error = load(config, &stored, None, &Device::flex()).expect_err("refused").to_string();
        let name = saved[3].name.clone();
        assert_eq!(error, format!("tensors in memory: tensor {name} holds a number that is not finite"));
        // A stored copy of the embedding counts as equal, although NaN differs from NaN.
        let mut saved = weights(&model(config));
        saved[0].values[5] = value;
        saved.push(NamedTensor { name: "lm_head.weight".into(), ..saved[0].clone() });
        let stored = StoredTensors::of_host(&saved).expect("a file");
        let error = load(config, &stored, None, &Device::flex()).expect_err("refused").to_string();
        assert!(
            error.ends_with("tensor model.embed_tokens.weight holds a number that is not finite"),
            "{error}"
        );
    }
}

#[test]
fn integer_tensors_are_refused() {
    let config = &shapes()[0];
    let bytes = file(&model(config), Precision::F16);
    let length = u64::from_le_bytes(bytes[..8].try_into().expect("eight")) as usize;
    let header = String::from_utf8_lossy(&bytes[8..8 + length]).into_owned();
    // The length is the same: integers of two bytes.
    let at = header.find("model.norm.weight").expect("is there");
    let changed = format!("{}{}", &header[..at], header[at..].replacen("\"F16\"", "\"I16\"", 1));
    let bytes = [&bytes[..8], changed.as_bytes(), &bytes[8 + length..]].concat();
    let stored = StoredTensors::in_memory("model.safetensors", bytes).expect("whole");
    let error = load(config, &stored, None, &Device::flex()).expect_err("integers").to_string();
    assert_eq!(
        error,
        "the weights do not fit config.json: model.norm.weight is of type I16, expected F32, F16 or BF16"
    );
}

#[test]
fn new_tokens_get_rows_in_both_tables() {
    for config in shapes() {
        let saved = weights(&model(&config));
        let stored = StoredTensors::of_host(&saved).expect("a file");
        // Two spare rows of 50, and one more: 50 is a multiple of 2.
        let added = AddedTokens::new(&config, &[48, 49, 50], 3, 51, 1);
        let grown = load(&config, &stored, Some(&added), &Device::flex()).expect("fits");
        assert_eq!(grown.config().vocab_size, 52);
        let grown_weights = weights(&grown);
        for (old, new) in saved.iter().zip(&grown_weights) {
            assert_eq!(old.name, new.name);
            let table = old.name == "model.embed_tokens.weight" || old.name == "lm_head.weight";
            let kept = if table { 48 * config.hidden_size } else { old.values.len() };
            assert_eq!(new.values[..kept], old.values[..kept], "{}", old.name);
            assert_eq!(new.values.len() > old.values.len(), table);
            let row = |row: usize| &new.values[row * config.hidden_size..][..config.hidden_size];
            if table {
                assert!(row(48) != row(50) && row(48) != row(3), "{}", old.name);
            }
        }
        // The grown model can be loaded again.
        let again = StoredTensors::of_host(&grown_weights).expect("a file");
        assert!(load(grown.config(), &again, None, &Device::flex()).is_ok());
    }
}

/// Error for a file with these bytes, which is the same in memory and on disk.
fn damage(bytes: &[u8]) -> String {
    let home = tempfile::tempdir().expect("a directory");
    fs::write(home.path().join("model.safetensors"), bytes).expect("written");
    let on_disk = StoredTensors::in_directory(home.path()).expect_err("damaged").to_string();
    let in_memory = StoredTensors::in_memory("model.safetensors", bytes.to_vec()).expect_err("damaged");
    assert_eq!(on_disk, in_memory.to_string());
    on_disk
}

/// A file with this header and `data` bytes after it.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

#[test]
fn a_truncated_file_is_refused_wherever_it_ends() {
    let whole = file(&model(&shapes()[0]), Precision::Bf16);
    for length in [0, 1, 7, 8, 9, 100, 2000, whole.len() / 2, whole.len() - 1] {
        let error = damage(&whole[..length]);
        assert!(
            error.starts_with("model.safetensors: is damaged or no safetensors file ("),
            "{length}: {error}"
        );
        assert!(error.ends_with(')') && !error.contains('\n'), "{length}: {error}");
    }
    damage(&[whole.as_slice(), b"more"].concat());
}

#[test]
fn an_inconsistent_header_is_refused() {
    let tensor = |dtype: &str, shape: &str, start: u64, end: u64| {
        format!(r#"{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{start},{end}]}}"#)
    };
    let two = |a: String, b: String| format!(r#"{{"a":{a},"b":{b}}}"#);
    for (what, bytes) in [
        ("header beyond the file", [&u64::MAX.to_le_bytes()[..], b"{}"].concat()),
        ("header longer than the file", [&1000u64.to_le_bytes()[..], b"{}"].concat()),
        ("no JSON", with_header("{\"a\":", 0)),
        ("not UTF-8", [&2u64.to_le_bytes()[..], &[0xff, 0xfe]].concat()),
        (
            "offsets beyond the file",
            with_header(&two(tensor("F32", "[1]", 0, 4), tensor("F32", "[1]", 4, 8)), 4),
        ),
        ("overlap", with_header(&two(tensor("F32", "[2]", 0, 8), tensor("F32", "[2]", 4, 12)), 12)),
        ("hole", with_header(&two(tensor("F32", "[1]", 0, 4), tensor("F32", "[1]", 8, 12)), 12)),
        ("backwards", with_header(&two(tensor("F32", "[1]", 4, 0), tensor("F32", "[1]", 0, 4)), 4)),
        (
            "shape and offsets differ",
            with_header(&two(tensor("F32", "[3]", 0, 4), tensor("F32", "[1]", 4, 8)), 8),
        ),
        (
            "a product that overflows",
            with_header(
                &two(tensor("F32", "[4294967296,4294967296,4]", 0, 4), tensor("F32", "[1]", 4, 8)),
                8,
            ),
        ),
        ("unknown type", with_header(&two(tensor("F12", "[1]", 0, 4), tensor("F32", "[1]", 4, 8)), 8)),
        ("negative", with_header(r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4)),
    ] {
        let error = damage(&bytes);
        assert!(error.contains("is damaged or no safetensors file"), "{what}: {error}");
    }
}

#[test]
fn an_index_with_paths_is_refused() {
    let home = tempfile::tempdir().expect("a directory");
    let refuse = |listed: &[(&str, &str)]| {
        shard(home.path(), &[], listed);
        StoredTensors::in_directory(home.path()).expect_err("refused").to_string()
    };
    for name in ["../x.safetensors", "/etc/passwd", "a/b.safetensors", "..", ".", "", "a\\b", "C:x"] {
        let error = refuse(&[("a", name)]);
        assert_eq!(error, format!("model.safetensors.index.json: {name:?} is no name of a file beside it"));
    }
    assert_eq!(refuse(&[("a", "gone.safetensors")]), "gone.safetensors: is not there");
    fs::write(home.path().join("model.safetensors.index.json"), "[]").expect("written");
    let error = StoredTensors::in_directory(home.path()).expect_err("no index").to_string();
    assert!(error.starts_with("model.safetensors.index.json: no index ("), "{error}");
}

#[test]
fn mismatches_between_an_index_and_its_files_are_listed() {
    let home = tempfile::tempdir().expect("a directory");
    let tensor = |name: &str| NamedTensor { name: name.into(), shape: vec![1], values: vec![0.0] };
    let parts = [vec![tensor("a"), tensor("b")], vec![tensor("b"), tensor("c")]];
    let (one, two) = ("part-0.safetensors", "part-1.safetensors");
    shard(home.path(), &parts, &[("a", one), ("b", two), ("d", two)]);
    let error = StoredTensors::in_directory(home.path()).expect_err("refused").to_string();
    assert_eq!(
        error,
        "model.safetensors.index.json: c of part-1.safetensors is not in the index; b of part-1.safetensors is in another file too; d is not in part-1.safetensors"
    );
}
