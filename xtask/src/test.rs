//! The test suite and the surroundings it expects.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::process::{cache, cargo, loud, succeeds};
use crate::steps::Steps;
use crate::{check, gpu_kit, setup, vulkan, web};

/// Setup, check (unless `quick`) and every test.
pub fn run(steps: &mut Steps, quick: bool) -> Result<()> {
    let python = setup::run(steps)?;
    if !quick {
        check::run(steps)?;
    }
    let environment = environment(&python)?;
    let in_environment = |arguments| loud(cargo(arguments).envs(environment.clone()));
    if succeeds(&mut cargo("nextest --version")) {
        steps.run("tests", || in_environment("nextest run --workspace --release"))?;
        // nextest leaves doc tests to cargo.
        steps.run("doc tests", || in_environment("test --doc --workspace --release"))?;
    } else {
        steps.run("tests", || in_environment("test --workspace --release"))?;
    }
    gpu_kit::check(steps, &environment)?;
    web::test(steps)
}

/// Only `tests/parity`.
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
        // Mesa complains without one.
        let directory = cache()?.join("runtime");
        std::fs::create_dir_all(&directory)?;
        variables.push(("XDG_RUNTIME_DIR", directory.into()));
    }
    Ok(variables)
}
