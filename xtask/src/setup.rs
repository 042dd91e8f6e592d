//! Installation of what checks and tests need: Rust components, a Vulkan adapter, a few tools, Python with `transformers`.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::process::{cargo, command, loud, quiet, succeeds};
use crate::steps::Steps;
use crate::{apt, python, vulkan};

/// Rust target of the page's module.
pub const BROWSER: &str = "wasm32-unknown-unknown";

/// `cargo xtask setup`; returns the Python interpreter with `transformers`.
pub fn run(steps: &mut Steps) -> Result<PathBuf> {
    steps.run("rust target and components", rust)?;
    steps.run("vulkan adapter", vulkan::ensure)?;
    steps.run("tools", tools)?;
    steps.run("python with transformers", python::ensure)
}

/// Installs the SPIR-V validator, and xz for the kit for graphics cards.
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

/// Installs the Rust target [`BROWSER`] if it is missing.
pub fn browser_target() -> Result<()> {
    if has_browser_target()? { Ok(()) } else { rustup(&["target", "add", BROWSER]) }
}

/// True if rustc has the libraries of [`BROWSER`]. Reads the answer from rustc, because a distribution's Rust has no rustup.
fn has_browser_target() -> Result<bool> {
    let mut rustc = command("rustc");
    let libraries = quiet(rustc.args(["--print", "target-libdir", "--target", BROWSER]))?;
    Ok(Path::new(&libraries).is_dir())
}

fn rustup(arguments: &[&str]) -> Result<()> {
    if !succeeds(command("rustup").arg("--version")) {
        let wanted = arguments.join(" ");
        bail!("rustup is missing: install it, or install what `rustup {wanted}` installs");
    }
    loud(command("rustup").args(arguments))
}
