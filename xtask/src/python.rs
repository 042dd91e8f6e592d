//! A virtual environment for the parity tests, kept outside the checkout.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::process::{cache, command, loud, quiet, root, succeeds};

/// numpy's current wheels ask for no less.
const OLDEST: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// The interpreter named by `SSFT_PYTHON`, or one with `tests/parity/requirements.txt` installed.
pub fn ensure() -> Result<PathBuf> {
    if let Some(own) = std::env::var_os("SSFT_PYTHON") {
        return Ok(own.into());
    }
    let wanted = root().join("tests/parity/requirements.txt");
    let wanted_text = fs::read_to_string(&wanted).with_context(|| wanted.display().to_string())?;
    let directory = cache()?.join("venv");
    let interpreter = interpreter_in(&directory);
    // Written last: an interrupted installation leaves none and is taken up again.
    let installed = directory.join("installed-requirements.txt");
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted_text)
        && succeeds(command(&interpreter).arg("--version"))
    {
        return Ok(interpreter);
    }
    create(&directory)?;
    println!("    installing {}", wanted.display());
    install(&interpreter, &wanted)?;
    fs::write(&installed, wanted_text)?;
    Ok(interpreter)
}

fn create(directory: &Path) -> Result<()> {
    let system = ["python3", "python"]
        .into_iter()
        .find(|name| succeeds(command(name).args(["-c", OLDEST])))
        .context("install Python 3.11 or newer, or name one with transformers in SSFT_PYTHON")?;
    // `--clear`: the system's Python may have moved on since.
    quiet(command(system).args(["-m", "venv", "--clear"]).arg(directory))
        .context("install Python's venv module (Debian, Ubuntu: python3-venv)")?;
    let interpreter = interpreter_in(directory);
    ensure!(interpreter.exists(), "no {}", interpreter.display());
    Ok(())
}

/// No pip cache (the environment is the cache), and no source builds (hours, and a compiler).
fn install(interpreter: &Path, requirements: &Path) -> Result<()> {
    let mut pip = command(interpreter);
    pip.args(["-m", "pip", "install", "--quiet", "--no-input"])
        .args(["--no-cache-dir", "--only-binary", ":all:"])
        .arg("--disable-pip-version-check")
        .arg("--requirement")
        .arg(requirements);
    loud(&mut pip)
}

fn interpreter_in(directory: &Path) -> PathBuf {
    directory.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" })
}
