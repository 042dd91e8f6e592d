//! Atomic replacement of files: written under a temporary name, synced, renamed.

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Prefix of the temporary name, in the same directory as the target.
pub const UNFINISHED: &str = ".unfinished-";

/// A file that replaces its target in one step.
///
/// Data goes to a temporary file; [`finish`](Self::finish) syncs it and renames it to the target. A value dropped
/// before that removes the temporary file and leaves the target unchanged. A temporary file left by a killed process
/// is reused by the next writer of the same target.
///
/// A symbolic link is followed. A device or a pipe is written directly.
///
/// ```
/// use ssft_data::whole_file::WholeFile;
/// use std::{fs, io::Write};
///
/// let path = std::env::temp_dir().join(format!("whole-file-{}.txt", std::process::id()));
/// let mut file = WholeFile::create(&path)?;
/// file.write_all(b"all of it")?;
/// assert!(!path.exists());
/// file.finish()?;
/// assert_eq!(fs::read_to_string(&path)?, "all of it");
/// # fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct WholeFile {
    target: PathBuf,
    /// The temporary path; `None` for a device or a pipe.
    unfinished: Option<PathBuf>,
    /// `None` once the file is closed.
    output: Option<BufWriter<File>>,
}

impl WholeFile {
    /// Opens the temporary file of `target` and creates missing parent directories.
    ///
    /// # Errors
    /// An error of the operating system, or [`io::ErrorKind::WouldBlock`] if another process writes the same target.
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

    /// Syncs the file, renames it to the target, and syncs the directory, so that the result survives a power failure.
    ///
    /// # Errors
    /// An error of the operating system; the temporary file is removed.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(output) = self.output.take() else { return Ok(()) };
        let file = output.into_inner().map_err(io::IntoInnerError::into_error);
        // A pipe cannot be synced.
        let Some(unfinished) = &self.unfinished else { return file.map(drop) };
        // `file` is closed after the rename, so the lock covers the lifetime of the temporary name.
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
        // A failed removal is ignored: the caller reports the original error.
        if let Some(unfinished) = &self.unfinished {
            let _ = fs::remove_file(unfinished);
            under_way().remove(unfinished);
        }
    }
}

/// Temporary paths of all unfinished files of this process.
fn under_way() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static UNDER_WAY: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes all unfinished files of this process, for use before it exits. Returns whether at least one was removed.
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
            // `into_parts` discards the buffer. The file is closed first, since Windows does not remove an open file.
            drop(output.into_parts());
            self.remove();
        }
    }
}

/// The path behind a symbolic link; `target` itself if it is none.
fn followed(target: &Path) -> PathBuf {
    // `canonicalize` fails for a link to a file that does not exist yet; `read_link` does not.
    let led = || Some(target.parent()?.join(fs::read_link(target).ok()?));
    fs::canonicalize(target).ok().or_else(led).unwrap_or_else(|| target.to_owned())
}

/// The temporary path of `target`: `dir/.unfinished-a.txt` for `dir/a.txt`.
pub fn unfinished(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!("{UNFINISHED}{name}"))
}

/// Opens and empties the file at `path` with an exclusive lock. The operating system releases the lock when the
/// process ends.
fn alone(path: &Path) -> io::Result<File> {
    loop {
        let file = File::options().write(true).create(true).truncate(false).open(path)?;
        // Other errors are ignored: some file systems have no locks.
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, "another process is writing it"));
        }
        // Another process may have renamed the file between `open` and `try_lock`.
        if names(path, &file)? {
            file.set_len(0)?;
            return Ok(file);
        }
    }
}

/// Whether `path` still refers to `file`.
#[cfg(unix)]
fn names(path: &Path, file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let file = file.metadata()?;
    Ok(fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (file.dev(), file.ino())))
}

/// Other systems offer no file identity; on Windows an open file cannot be renamed.
#[cfg(not(unix))]
fn names(_path: &Path, _file: &File) -> io::Result<bool> {
    Ok(true)
}

/// Syncs a directory, so that a rename in it survives a power failure. No operation on Windows, which cannot open
/// directories as files.
///
/// # Errors
/// An error of the operating system.
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

    /// Regression: writing to a symbolic link replaced the link by a file.
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
