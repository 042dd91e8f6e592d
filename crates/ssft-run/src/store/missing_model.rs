//! What to do about a directory without a model that can be read: it holds the model elsewhere or in another format.

use ssft_model::stored::WEIGHTS_FILE;
use std::cmp::Reverse;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is wrong with a directory without config.json, and what to do; nothing if it holds no trace of a model.
pub(super) fn without_config(place: &Path) -> Option<String> {
    if let Some(found) = model_below(place) {
        return Some(format!("there is no config.json; it is in {}, give that directory", found.display()));
    }
    without_either(place, &names(place))
}

/// What is wrong with a directory that has a config.json, but no `.safetensors` of a whole model, and what to do; nothing if it has
/// some, or no weights at all.
pub(super) fn without_weights(place: &Path) -> Option<String> {
    let (names, directory) = (names(place), place.display());
    let first = |is: &dyn Fn(&str) -> bool| names.iter().find(|name| is(name));
    if first(&|name| [WEIGHTS_FILE, "model.safetensors.index.json"].contains(&name)).is_some() {
        return None;
    }
    if let Some(what) = without_either(place, &names) {
        return Some(what);
    }
    if let Some(name) = first(&|name| name.starts_with("pytorch_model") && name.ends_with(".bin")) {
        return Some(format!(
            "the weights are {name}, not .safetensors; let transformers write them: AutoModelForCausalLM.from_pretrained(\"{directory}\").save_pretrained(\"{directory}\")"
        ));
    }
    first(&|name| ["tf_model.h5", "flax_model.msgpack"].contains(&name)).map(|name| unreadable(name))
}

/// The directory below `place` that has a config.json: the snapshot that `refs/main` names in a cache of the Hugging Face hub, else
/// the newest snapshot, else the newest directory, as of a trainer's checkpoints.
fn model_below(place: &Path) -> Option<PathBuf> {
    let snapshots = place.join("snapshots");
    let main = fs::read_to_string(place.join("refs/main")).ok();
    let main = main.map(|name| snapshots.join(name.trim()));
    let mut all = main.into_iter().chain(newest_first(&snapshots)).chain(newest_first(place));
    all.find(|directory| directory.join("config.json").exists())
}

/// What is in `directory`, the newest first.
fn newest_first(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    let changed = |path: &PathBuf| fs::metadata(path).and_then(|data| data.modified()).ok();
    all.sort_by_key(|path| Reverse((changed(path).unwrap_or(SystemTime::UNIX_EPOCH), path.clone())));
    all
}

/// Names of what is in `directory`, sorted.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// The formats that come without config.json and `model.safetensors`, and how to convert them. `names` is what `place` has.
fn without_either(place: &Path, names: &[String]) -> Option<String> {
    let (first, directory) =
        (|is: &dyn Fn(&str) -> bool| names.iter().find(|name| is(name)), place.display());
    if first(&|name| name == "adapter_config.json").is_some() {
        return Some(format!(
            "an adapter of PEFT without the weights of its model; let PEFT merge them: AutoPeftModelForCausalLM.from_pretrained(\"{directory}\").merge_and_unload().save_pretrained(NEW), and AutoTokenizer of the model likewise"
        ));
    }
    if let Some(name) = first(&|name| name.ends_with(".gguf")) {
        return Some(format!(
            "the weights are {name}, not .safetensors; let transformers write them: AutoModelForCausalLM.from_pretrained(\"{directory}\", gguf_file=\"{name}\").save_pretrained(NEW), and AutoTokenizer likewise"
        ));
    }
    first(&|name| name.starts_with("consolidated.")).map(|name| unreadable(name))
}

fn unreadable(name: &str) -> String {
    format!(
        "the weights are {name} alone, which transformers does not read; fetch the model with its model.safetensors"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn directory(files: &[&str]) -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("temporary directory");
        for name in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            File::create(path).expect("a file");
        }
        home
    }

    #[test]
    fn a_model_below_is_named() {
        let home = directory(&["snapshots/a/config.json", "snapshots/b/config.json", "snapshots/c/x"]);
        let place = home.path();
        let says = |name: &str| {
            let found = place.join(name).display().to_string();
            Some(format!("there is no config.json; it is in {found}, give that directory"))
        };
        fs::create_dir(place.join("refs")).expect("a directory");
        for name in ["a", "b"] {
            fs::write(place.join("refs/main"), format!("{name}\n")).expect("a file");
            assert_eq!(without_config(place), says(&format!("snapshots/{name}")));
        }
        let home = directory(&["checkpoint-5/config.json", "runs/x"]);
        assert!(without_config(home.path()).expect("a model").contains("checkpoint-5, give that directory"));
        assert_eq!(without_config(directory(&["notes/a.txt"]).path()), None);
    }

    #[test]
    fn other_formats_have_remedies_of_their_own() {
        for (files, says) in [
            (&["adapter_config.json", "adapter_model.safetensors"][..], "merge_and_unload()"),
            (&["m-Q8_0.gguf"], "gguf_file=\"m-Q8_0.gguf\""),
            (&["consolidated.safetensors", "params.json"], "the weights are consolidated.safetensors alone"),
            (&["consolidated.00.pth"], "the weights are consolidated.00.pth alone"),
            (&["pytorch_model.bin"], "the weights are pytorch_model.bin, not .safetensors; let transformers"),
            (&["pytorch_model-00001-of-00002.bin"], "the weights are pytorch_model-00001-of-00002.bin, not"),
            (&["tf_model.h5"], "the weights are tf_model.h5 alone"),
            (&["flax_model.msgpack"], "the weights are flax_model.msgpack alone"),
        ] {
            let found = without_weights(directory(files).path());
            assert!(found.as_ref().is_some_and(|found| found.contains(says)), "{files:?}: {found:?}");
            // The others cannot be converted without a config.json.
            let is_alone = ["adapter", "m-Q8", "consolidated"].iter().any(|name| files[0].starts_with(name));
            assert_eq!(without_config(directory(files).path()).is_some(), is_alone, "{files:?}");
            let whole = directory(&[files, &[WEIGHTS_FILE]].concat());
            assert_eq!(without_weights(whole.path()), None, "{files:?}");
        }
    }
}
