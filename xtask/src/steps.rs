//! Named steps of a command, with their wall time.

use std::time::Instant;

use anyhow::{Context, Result};

/// Steps that have passed.
pub struct Steps {
    began: Instant,
    passed: usize,
}

impl Steps {
    pub fn start() -> Self {
        Self { began: Instant::now(), passed: 0 }
    }

    /// Runs one step; its error has the step's name as context.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let began = Instant::now();
        let outcome = work().with_context(|| name.to_owned())?;
        println!("    {name}: {:.1} s", began.elapsed().as_secs_f64());
        self.passed += 1;
        Ok(outcome)
    }

    /// Prints the last line of a command in which all steps passed.
    pub fn finish(self) {
        let seconds = self.began.elapsed().as_secs_f64();
        println!("passed: {} steps in {seconds:.0} s", self.passed);
    }
}
