//! Directories and files of a run that appear whole or not at all.

use ssft_data::whole_file::{UNFINISHED, WholeFile, sync_directory, unfinished};
use ssft_model::checkpoint::CheckpointError;
use ssft_model::directory::{Content, Files};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Prefix of the name of a directory that was moved aside for its successor.
const REPLACED: &str = ".replaced-";

/// Writes `files` as the directory `target`: under a temporary name first, synced, then renamed. A directory
/// that was there before is moved aside and removed once the new one is complete.
///
/// # Errors
/// [`CheckpointError::Write`] of the file system, or the error of a content that cannot be written; `target` is then
/// unchanged.
pub fn publish(target: &Path, files: &Files) -> Result<(), CheckpointError> {
    let failed = |error| CheckpointError::Write { error };
    let unfinished = unfinished(target);
    fs::create_dir_all(target.parent().unwrap_or(Path::new(".")))
        .and_then(|()| remove(&unfinished))
        .map_err(failed)?;
    let written = files.iter().try_for_each(|(name, content)| write_synced(&unfinished.join(name), content));
    if let Err(error) = written.and_then(|()| sync_tree(&unfinished).map_err(failed)) {
        // Frees room on a full disk; a file that cannot be removed is removed at the next start.
        let _ = remove(&unfinished);
        return Err(error);
    }
    put_in_place(&unfinished, target).map_err(failed)
}

fn put_in_place(unfinished: &Path, target: &Path) -> io::Result<()> {
    let replaced = target.with_file_name(format!("{REPLACED}{}", file_name(target)));
    let is_successor = target.exists();
    if is_successor {
        remove(&replaced)?;
        fs::rename(target, &replaced)?;
    }
    if let Err(error) = fs::rename(unfinished, target) {
        if is_successor {
            fs::rename(&replaced, target)?;
        }
        return Err(error);
    }
    sync_directory(target.parent().unwrap_or(Path::new(".")))?;
    // A directory that cannot be removed is removed at the next start.
    let _ = remove(&replaced);
    Ok(())
}

/// True for the directory of a run. A `config.toml` alone is not enough: other programs have one too.
pub fn is_run(directory: &Path) -> bool {
    let has = |name: &str| directory.join(name).exists();
    has("config.toml") && (has(".lock") || has("metrics.jsonl"))
}

/// Writes one file, whole or not at all.
///
/// # Errors
/// [`io::Error`] of the file system; `target` is then unchanged.
pub fn publish_file(target: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = WholeFile::create(target)?;
    file.write_all(bytes)?;
    file.finish()
}

/// Removes the unfinished files of a killed run from `parent`, and restores directories that were moved aside for a successor
/// that was not written.
///
/// # Errors
/// [`io::Error`] of the file system.
pub fn sweep(parent: &Path) -> io::Result<()> {
    if !parent.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        let name = file_name(&path);
        match name.strip_prefix(REPLACED).map(|name| parent.join(name)) {
            Some(original) if !original.exists() => fs::rename(&path, original)?,
            Some(_) => remove(&path)?,
            None if name.starts_with(UNFINISHED) => remove(&path)?,
            None => (),
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn write_synced(path: &Path, content: &Content) -> Result<(), CheckpointError> {
    let failed = |error| CheckpointError::Write { error };
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).map_err(failed)?;
    let mut file = BufWriter::new(File::create(path).map_err(failed)?);
    pollster::block_on(content.write(&mut file))?;
    file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all()).map_err(failed)
}

fn sync_tree(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            sync_tree(&path)?;
        }
    }
    sync_directory(directory)
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The directory of checkpoint `step` in a run.
pub fn checkpoint(run: &Path, step: usize) -> PathBuf {
    run.join("checkpoints").join(format!("step-{step}"))
}

/// The checkpoints of a run, oldest first.
///
/// # Errors
/// [`io::Error`] of the file system. A run without the folder has no checkpoints.
pub fn checkpoints(run: &Path) -> io::Result<Vec<(usize, PathBuf)>> {
    let parent = run.join("checkpoints");
    if !parent.exists() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(parent)? {
        let path = entry?.path();
        if let Some(step) = file_name(&path).strip_prefix("step-").and_then(|step| step.parse().ok()) {
            found.push((step, path));
        }
    }
    found.sort();
    Ok(found)
}

/// Removes all but the newest `keep` checkpoints of a run.
///
/// # Errors
/// [`io::Error`] of the file system.
pub fn rotate(run: &Path, keep: usize) -> io::Result<()> {
    let found = checkpoints(run)?;
    for (_, path) in &found[..found.len().saturating_sub(keep.max(1))] {
        // Renamed first: a kill between two of its files must not leave half a checkpoint under its name.
        let doomed = path.with_file_name(format!("{UNFINISHED}old-{}", file_name(path)));
        remove(&doomed)?;
        fs::rename(path, &doomed)?;
        remove(&doomed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(text: &str) -> Files {
        vec![
            ("a.json".into(), Content::Bytes(text.into())),
            ("trainer/state.json".into(), Content::Bytes(b"{}".to_vec())),
        ]
    }

    #[test]
    fn a_directory_is_replaced_whole() {
        let home = tempfile::tempdir().expect("temporary directory");
        let target = home.path().join("model");
        publish(&target, &files("one")).expect("first");
        publish(&target, &files("two")).expect("second");
        assert_eq!(fs::read_to_string(target.join("a.json")).expect("a"), "two");
        assert_eq!(fs::read_to_string(target.join("trainer/state.json")).expect("state"), "{}");
        assert_eq!(fs::read_dir(home.path()).expect("list").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_failed_write_leaves_the_old_directory() {
        let home = tempfile::tempdir().expect("temporary directory");
        let target = home.path().join("model");
        publish(&target, &files("one")).expect("first");
        let clash: Files = vec![
            ("a".into(), Content::Bytes(b"file".to_vec())),
            ("a/b".into(), Content::Bytes(b"needs a directory".to_vec())),
        ];
        publish(&target, &clash).expect_err("a file cannot be a directory");
        assert_eq!(fs::read_to_string(target.join("a.json")).expect("a"), "one");
        assert_eq!(fs::read_dir(home.path()).expect("list").count(), 1, "nothing unfinished is left");
    }

    #[test]
    fn a_kill_between_the_two_renames_loses_nothing() {
        let home = tempfile::tempdir().expect("temporary directory");
        let target = home.path().join("model");
        publish(&target, &files("one")).expect("first");
        fs::rename(&target, home.path().join(".replaced-model"))
            .expect("as publish does before its second rename");
        sweep(home.path()).expect("sweep");
        assert_eq!(fs::read_to_string(target.join("a.json")).expect("a"), "one");
    }

    #[test]
    fn rotation_keeps_the_newest_by_number() {
        let home = tempfile::tempdir().expect("temporary directory");
        for step in [5, 100, 20] {
            publish(&checkpoint(home.path(), step), &files("x")).expect("publish");
        }
        rotate(home.path(), 2).expect("rotate");
        let steps: Vec<usize> =
            checkpoints(home.path()).expect("list").into_iter().map(|(step, _)| step).collect();
        assert_eq!(steps, [20, 100]);
    }
}
