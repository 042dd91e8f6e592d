//! Result files of `--json` and `--out`.

use crate::exit::Failure;
use ssft_run::store::files::publish_file;
use std::path::Path;

/// Checks that a file can be written at `path`; called before the work whose result it will hold.
///
/// # Errors
/// [`Failure::Usage`] if `path` is empty or a directory, or if one of its parents is a file.
pub fn check_target(path: Option<&Path>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let refused = |why: String| Err(Failure::Usage(format!("{why}; name a file")));
    if path.as_os_str().is_empty() {
        return refused("the name is empty".to_owned());
    }
    if path.is_dir() {
        return refused(format!("{} is a directory", path.display()));
    }
    match path.parent().and_then(|parent| parent.ancestors().find(|above| above.exists())) {
        Some(above) if !above.is_dir() => refused(format!("{} is no directory", above.display())),
        _ => Ok(()),
    }
}

/// Writes a result file atomically.
///
/// # Errors
/// [`Failure::Run`] with the name of the file.
pub fn write_result(path: &Path, text: &str) -> Result<(), Failure> {
    publish_file(path, text.as_bytes())
        .map_err(|error| Failure::Run(format!("{}: cannot be written ({error})", path.display())))
}
