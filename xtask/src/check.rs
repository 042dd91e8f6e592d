//! Everything that is judged without running it.

use anyhow::Result;

use crate::process::{cargo, command, loud, succeeds};
use crate::setup::BROWSER;
use crate::steps::Steps;

/// `--release` throughout: one profile shares every compiled dependency.
pub fn run(steps: &mut Steps) -> Result<()> {
    // A matter of seconds where it is installed, and not worth building from source where it is not.
    match succeeds(command("typos").arg("--version")) {
        true => steps.run("spelling", || loud(&mut command("typos")))?,
        false => println!("spelling is not checked: `cargo install --locked typos-cli` adds it"),
    }
    steps.run("format", || loud(&mut cargo("fmt --all --check")))?;
    steps.run("clippy", || loud(&mut cargo("clippy --workspace --all-targets --release -- -D warnings")))?;
    // In the profile that the page is built with: its crates and their tests as the browser sees them.
    let browser =
        format!("clippy --profile web --target {BROWSER} --package ssft-web --all-targets -- -D warnings");
    steps.run("clippy, browser target", || loud(&mut cargo(&browser)))?;
    steps.run("documentation", || {
        let mut doc = cargo("doc --no-deps --workspace --release");
        loud(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })
}
