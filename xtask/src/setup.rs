//! What the checks and tests need: Rust's pieces, a Vulkan adapter, a few tools, a Python with `transformers`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::process::{cargo, command, loud, quiet, succeeds};
use crate::steps::Steps;
use crate::{apt, python, vulkan};

pub const BROWSER: &str = "wasm32-unknown-unknown";

/// Makes sure of everything; returns the Python that can import `transformers`.
pub fn run(steps: &mut Steps) -> Result<PathBuf> {
    steps.run("rust target and components", rust)?;
    steps.run("vulkan adapter", vulkan::ensure)?;
    steps.run("tools", tools)?;
    steps.run("python with transformers", python::ensure)
}

/// SPIR-V's validator, and what packs the kit for a graphics card.
fn tools() -> Result<()> {
    for (program, package) in [("spirv-val", "spirv-tools"), ("xz", "xz-utils")] {
        if !succeeds(command(program).arg("--version")) {
            ensure!(apt::is_usable(), "install {program} (Debian, Ubuntu, Fedora: {package})");
            apt::install(&[package], None)?;
        }
    }
    Ok(())
}

fn rust() -> Result<()> {
    browser_target()?;
    for (subcommand, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if !succeeds(cargo(subcommand).arg("--version")) {
            rustup(&["component", "add", component])?;
        }
    }
    Ok(())
}

/// Makes sure that code for the browser can be compiled.
pub fn browser_target() -> Result<()> {
    if has_browser_target()? { Ok(()) } else { rustup(&["target", "add", BROWSER]) }
}

/// rustc is asked rather than rustup, so that a distribution's Rust will do as well.
fn has_browser_target() -> Result<bool> {
    let mut rustc = command("rustc");
    let libraries = quiet(rustc.args(["--print", "target-libdir", "--target", BROWSER]))?;
    Ok(Path::new(&libraries).is_dir())
}

fn rustup(arguments: &[&str]) -> Result<()> {
    if !succeeds(command("rustup").arg("--version")) {
        let wanted = arguments.join(" ");
        bail!("rustup is missing: install what `rustup {wanted}` would");
    }
    loud(command("rustup").args(arguments))
}
