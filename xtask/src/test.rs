//! The test suite, and the environment variables that it needs.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{cache, cargo, loud, succeeds};
use crate::steps::Steps;
use crate::{check, gpu_kit, setup, vulkan, web};

/// Whether a run of the tests includes the static checks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Checks {
    /// Run before the tests.
    Included,
    /// Not run (`--quick`).
    Skipped,
}

/// `cargo xtask test`: setup, static checks unless skipped, and every test.
pub fn run(steps: &mut Steps, checks: Checks) -> Result<()> {
    let python = setup::run(steps)?;
    if checks == Checks::Included {
        check::run(steps)?;
    }
    let environment = environment(&python)?;
    let in_environment = |arguments| loud(cargo(arguments).envs(environment.clone()));
    if succeeds(&mut cargo("nextest --version")) {
        steps.run("tests", || in_environment("nextest run --workspace --release"))?;
        // nextest does not run doc tests.
        steps.run("doc tests", || in_environment("test --doc --workspace --release"))?;
    } else {
        steps.run("tests", || in_environment("test --workspace --release"))?;
    }
    gpu_kit::check(steps, &environment)?;
    web::test(steps)
}

/// `cargo xtask parity`: only `tests/parity`.
pub fn parity(steps: &mut Steps) -> Result<()> {
    let python = setup::run(steps)?;
    let environment = environment(&python)?;
    let mut tests: Command = cargo("test --workspace --release --test parity");
    steps.run("parity", || loud(tests.envs(environment)))
}

fn environment(python: &Path) -> Result<Vec<(&'static str, OsString)>> {
    let mut variables = vec![("SSFT_PYTHON", python.into())];
    if let Some(driver) = vulkan::driver() {
        variables.push(("VK_DRIVER_FILES", driver.into()));
    }
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // Mesa prints a warning without it.
        let directory = cache()?.join("runtime");
        std::fs::create_dir_all(&directory)?;
        variables.push(("XDG_RUNTIME_DIR", directory.into()));
    }
    Ok(variables)
}
