//! Files that appear whole or not at all.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Leads the name of what is still being written, beside what it is to become.
pub const UNFINISHED: &str = ".unfinished-";

/// Written under another name; [`finish`](Self::finish) syncs and renames. One that is dropped before leaves nothing behind,
/// and what was at the path stays. What a process that was killed leaves, the next one that writes the file takes over.
///
/// A link is followed, and a device or a pipe, which nothing could stand in for, is written to as it is.
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    /// Nothing for a device or a pipe.
    unfinished: Option<PathBuf>,
    /// Nothing once the file is closed.
    output: Option<BufWriter<File>>,
}

impl WholeFile {
    /// Starts a file that is to be at `target`, with the directories that it is to lie in.
    ///
    /// # Errors
    /// Whatever the system says, or that another process is writing the same file.
    pub fn create(target: &Path) -> io::Result<Self> {
        let target = followed(target);
        let replaceable = !target.exists() || target.is_file();
        let unfinished = replaceable.then(|| unfinished(&target));
        let file = match &unfinished {
            Some(unfinished) => {
                fs::create_dir_all(unfinished.parent().unwrap_or(Path::new(".")))?;
                let file = alone(unfinished)?;
                under_way().insert(unfinished.clone());
                file
            }
            None => File::options().write(true).open(&target)?,
        };
        Ok(Self { target, unfinished, output: Some(BufWriter::new(file)) })
    }

    /// Puts the file in its place, so that it stays there in a power cut.
    ///
    /// # Errors
    /// Whatever the system says; nothing unfinished is left.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(output) = self.output.take() else { return Ok(()) };
        let file = output.into_inner().map_err(io::IntoInnerError::into_error);
        // A pipe cannot be synced.
        let Some(unfinished) = &self.unfinished else { return file.map(drop) };
        // The lock is held until the name is gone.
        let placed = file.and_then(|file| {
            file.sync_all()?;
            fs::rename(unfinished, &self.target)
        });
        if let Err(error) = placed {
            self.remove();
            return Err(error);
        }
        under_way().remove(unfinished);
        sync_directory(self.target.parent().unwrap_or(Path::new(".")))
    }

    fn remove(&self) {
        // What went wrong before is the one worth telling; that the leftover cannot be removed either follows.
        if let Some(unfinished) = &self.unfinished {
            let _ = fs::remove_file(unfinished);
            under_way().remove(unfinished);
        }
    }
}

/// What this process is writing, for whoever ends it.
fn under_way() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static UNDER_WAY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes what this process has not finished, before it ends: whether there was anything.
pub fn abandon() -> bool {
    let removed = under_way().iter().filter(|unfinished| fs::remove_file(unfinished).is_ok()).count();
    removed > 0
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.output.as_mut().map_or(Ok(0), |output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if let Some(output) = self.output.take() {
            // Without writing the rest, and closed first: Windows does not remove an open file.
            drop(output.into_parts());
            self.remove();
        }
    }
}

/// The file that `target` leads to, or is.
fn followed(target: &Path) -> PathBuf {
    // A link may lead to a file that is not there yet.
    let led = || Some(target.parent()?.join(fs::read_link(target).ok()?));
    fs::canonicalize(target).ok().or_else(led).unwrap_or_else(|| target.to_owned())
}

/// The name under which `target` is written.
pub fn unfinished(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{UNFINISHED}{name}"))
}

/// An empty file that no other process writes to; the lock goes with the process, however it ends.
fn alone(path: &Path) -> io::Result<File> {
    loop {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        // A file system without locks is no reason not to write.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process is writing it"));
        }
        // It may have been finished, and renamed, between the two.
        if names(path, &file)? {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

/// Whether `path` still leads to `file`.
#[cfg(unix)]
fn names(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino())))
}

/// Elsewhere nothing tells; an open file can hardly be renamed there.
#[cfg(not(unix))]
fn names(_path: &Path, _file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Makes a rename survive a power cut. Windows keeps directories in order by itself and cannot open them.
///
/// # Errors
/// Whatever the system says.
pub fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.map(|name| name.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn nothing_is_at_the_path_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"all of it").unwrap();
        assert_eq!(names(folder.path()), [".unfinished-a.txt"]);
        file.finish().unwrap();
        assert_eq!(names(folder.path()), ["a.txt"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "all of it");
    }

    #[test]
    fn a_dropped_file_leaves_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(&path, "old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        drop(file);
        assert_eq!(names(folder.path()), ["a.txt"]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn what_a_killed_process_leaves_is_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.txt");
        fs::write(unfinished(&path), "half of something long").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"short").unwrap();
        let other = WholeFile::create(&path).unwrap_err();
        assert_eq!(other.to_string(), "another process is writing it");
        file.finish().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "short");
        assert_eq!(names(folder.path()), ["a.txt"]);
    }

    /// `data import --out LINK` made a file of the link.
    #[cfg(unix)]
    #[test]
    fn a_link_stays_one_and_a_pipe_is_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("target.txt"), folder.path().join("link.txt"));
        fs::write(&target, "old").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        let write = |path: &Path, text: &str| {
            let mut file = WholeFile::create(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            file.finish().unwrap();
        };
        write(&link, "new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        fs::remove_file(&target).unwrap();
        write(&link, "where nothing was");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "where nothing was");
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read_to_string(pipe).unwrap()
        });
        write(&pipe, "through");
        assert_eq!(reader.join().unwrap(), "through");
        assert!(!pipe.is_file());
    }
}
