//! Named pieces of work with their wall time.

use std::time::Instant;

use anyhow::{Context, Result};

/// What has passed so far.
pub struct Steps {
    began: Instant,
    passed: usize,
}

impl Steps {
    pub fn start() -> Self {
        Self { began: Instant::now(), passed: 0 }
    }

    /// Runs one step; an error carries the step's name.
    pub fn run<T>(&mut self, name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let began = Instant::now();
        let outcome = work().with_context(|| name.to_owned())?;
        println!("    {name}: {:.1} s", began.elapsed().as_secs_f64());
        self.passed += 1;
        Ok(outcome)
    }

    /// The last line of a run in which nothing failed.
    pub fn finish(self) {
        let seconds = self.began.elapsed().as_secs_f64();
        println!("passed: {} steps in {seconds:.0} s", self.passed);
    }
}
