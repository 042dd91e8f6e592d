//! Licences, advisories and sources, judged by cargo-deny with `deny.toml`.

use anyhow::{Result, ensure};

use crate::process::{cargo, loud, succeeds};
use crate::steps::Steps;

pub fn run(steps: &mut Steps) -> Result<()> {
    ensure!(
        succeeds(&mut cargo("deny --version")),
        "cargo-deny is missing: `cargo install --locked cargo-deny`"
    );
    steps.run("deny", || loud(&mut cargo("deny check")))
}
