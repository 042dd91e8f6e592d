//! Check of licences, advisories and sources by cargo-deny with `deny.toml`.

use anyhow::{Result, ensure};

use crate::process::{cargo, loud, succeeds};
use crate::steps::Steps;

/// `cargo xtask deny`.
pub fn run(steps: &mut Steps) -> Result<()> {
    ensure!(
        succeeds(&mut cargo("deny --version")),
        "cargo-deny is missing: `cargo install --locked cargo-deny`"
    );
    steps.run("deny", || loud(&mut cargo("deny check")))
}
