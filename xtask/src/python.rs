//! Virtual environment of the parity tests, outside the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::{cache, command, loud, quiet, root, succeeds};

/// Python program that fails on versions before 3.11, which current wheels of numpy require.
const OLDEST: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// Python interpreter for the tests: `SSFT_PYTHON` if set, else that of a virtual environment with the packages of
/// `tests/parity/requirements*.txt`.
pub fn ensure() -> Result<PathBuf> {
    if let Some(own) = std::env::var_os("SSFT_PYTHON") {
        return Ok(own.into());
    }
    let directory = cache()?.join("venv");
    let interpreter = interpreter_in(&directory);
    ensure_environment(&interpreter, &directory)?;
    ensure_alone(&interpreter, &directory)?;
    Ok(interpreter)
}

fn ensure_environment(interpreter: &Path, directory: &Path) -> Result<()> {
    let (wanted, text) = requirements("requirements.txt")?;
    // Written last, so that an interrupted installation is repeated.
    let stamp = directory.join("installed-requirements.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text)
        && succeeds(command(interpreter).arg("--version"))
    {
        return Ok(());
    }
    create(directory)?;
    println!("    installing {}", wanted.display());
    install(interpreter, &wanted, &[])?;
    fs::write(stamp, text)?;
    Ok(())
}

/// Installs packages without their dependencies, because the tests only read their files.
fn ensure_alone(interpreter: &Path, directory: &Path) -> Result<()> {
    let (wanted, text) = requirements("requirements-alone.txt")?;
    let stamp = directory.join("installed-requirements-alone.txt");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
        return Ok(());
    }
    install(interpreter, &wanted, &["--no-deps"])?;
    Ok(fs::write(stamp, text)?)
}

/// Path and text of a requirements file.
fn requirements(name: &str) -> Result<(PathBuf, String)> {
    let path = root().join("tests/parity").join(name);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    Ok((path, text))
}

fn create(directory: &Path) -> Result<()> {
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| succeeds(command(name).args(["-c", OLDEST])))
        .context("install Python 3.11 or newer, or name one with transformers in SSFT_PYTHON")?;
    // `--clear`: an old environment may be of another version of Python.
    quiet(command(system).args(["-m", "venv", "--clear"]).arg(directory))
        .context("install Python's venv module (Debian, Ubuntu: python3-venv)")?;
    let interpreter = interpreter_in(directory);
    ensure!(interpreter.exists(), "no {}", interpreter.display());
    Ok(())
}

/// Installs packages from wheels only (source builds take hours and a compiler), without pip's cache (the environment is kept).
fn install(interpreter: &Path, requirements: &Path, options: &[&str]) -> Result<()> {
    let mut pip = command(interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--no-cache-dir", "--only-binary", ":all:"])
        .arg("--disable-pip-version-check")
        .args(options)
        .arg("--requirement")
        .arg(requirements);
    loud(&mut pip)
}

fn interpreter_in(directory: &Path) -> PathBuf {
    directory.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}
