//! Everything that is judged without running it.

use anyhow::Result;

use crate::process::{cargo, command, loud, succeeds};
use crate::setup::BROWSER;
use crate::steps::Steps;

/// The crates that also run in the browser.
const CORE: &str = "-p ssft-data -p ssft-kernels -p ssft-model -p ssft-train -p ssft-decode";

/// `--release` throughout: one profile shares every compiled dependency.
pub fn run(steps: &mut Steps) -> Result<()> {
    // A matter of seconds where it is installed, and not worth building from source where it is not.
    match succeeds(command("typos").arg("--version")) {
        true => steps.run("spelling", || loud(&mut command("typos")))?,
        false => println!("spelling is not checked: `cargo install --locked typos-cli` adds it"),
    }
    steps.run("format", || loud(&mut cargo("fmt --all --check")))?;
    steps.run("clippy", || loud(&mut cargo("clippy --workspace --all-targets --release -- -D warnings")))?;
    steps
        .run("browser target", || loud(&mut cargo(&format!("check --release --target {BROWSER} {CORE}"))))?;
    steps.run("documentation", || {
        let mut doc = cargo("doc --no-deps --workspace --release");
        loud(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })
}
