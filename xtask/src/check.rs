//! Static checks: spelling, format, lints, documentation.

use anyhow::Result;

use crate::process::{cargo, command, loud, succeeds};
use crate::setup::BROWSER;
use crate::steps::Steps;

/// `cargo xtask check`. All steps use the release profile, so that they share compiled dependencies with the tests.
pub fn run(steps: &mut Steps) -> Result<()> {
    // Optional: typos takes seconds to run, but minutes to build from source.
    match succeeds(command("typos").arg("--version")) {
        true => steps.run("spelling", || loud(&mut command("typos")))?,
        false => println!("spelling is not checked: `cargo install --locked typos-cli` adds it"),
    }
    steps.run("format", || loud(&mut cargo("fmt --all --check")))?;
    steps.run("clippy", || loud(&mut cargo("clippy --workspace --all-targets --release -- -D warnings")))?;
    // Lints the crates of the page and their tests for the browser's target, in the profile that the page is built with.
    let browser =
        format!("clippy --profile web --target {BROWSER} --package ssft-web --all-targets -- -D warnings");
    steps.run("clippy, browser target", || loud(&mut cargo(&browser)))?;
    steps.run("documentation", || {
        let mut doc = cargo("doc --no-deps --workspace --release");
        loud(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })
}
