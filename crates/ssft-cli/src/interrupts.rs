//! Handling of Ctrl-C.

use crate::exit::{Failure, say};
use ssft_data::whole_file::abandon;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// State that the Ctrl-C handler shares with a run. The first Ctrl-C requests a save, the second ends the program. After
/// [`Interrupts::settle`] the first one ends the program too.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    asked: Arc<AtomicBool>,
    settled: Arc<AtomicBool>,
}

impl Interrupts {
    /// Installs the handler of a training run.
    ///
    /// # Errors
    /// [`Failure::Run`] if the system refuses the handler.
    pub fn of_run() -> Result<Self, Failure> {
        let interrupts = Self::default();
        let Self { asked, settled } = interrupts.clone();
        listen(move || {
            if settled.load(Ordering::SeqCst) || asked.swap(true, Ordering::SeqCst) {
                exit(130);
            }
            say("\nsaving after this step; press again to stop at once");
        })?;
        Ok(interrupts)
    }

    /// True after the first Ctrl-C.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Declares that nothing is left to save.
    pub fn settle(&self) {
        self.settled.store(true, Ordering::SeqCst);
    }
}

/// Installs a handler that removes unfinished files and ends the program.
///
/// # Errors
/// [`Failure::Run`] if the system refuses the handler.
pub fn abandon_when_interrupted() -> Result<(), Failure> {
    listen(|| {
        say(if abandon() { "\nstopped: nothing was written" } else { "\nstopped" });
        exit(130);
    })
}

fn listen(handler: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(handler).map_err(|error| Failure::run(format!("Ctrl-C cannot be caught ({error})")))
}
