//! Ctrl-C.

use crate::exit::{Failure, say};
use std::path::PathBuf;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What Ctrl-C tells a run, and what the run tells it: the first asks for a save, the second ends the program, and so does
/// the first when all is saved.
#[derive(Debug, Clone, Default)]
pub struct Interrupts {
    asked: Arc<AtomicBool>,
    settled: Arc<AtomicBool>,
}

impl Interrupts {
    /// Listens from now on.
    ///
    /// # Errors
    /// [`Failure::Run`] if the system lets nobody listen.
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

    /// Someone pressed it.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Nothing is left to save.
    pub fn settle(&self) {
        self.settled.store(true, Ordering::SeqCst);
    }
}

/// Lets Ctrl-C end the program without leaving `unfinished` behind.
///
/// # Errors
/// [`Failure::Run`] if the system lets nobody listen.
pub fn sweep_when_interrupted(unfinished: PathBuf) -> Result<(), Failure> {
    listen(move || {
        // What cannot be removed is overwritten by the next attempt.
        let _ = std::fs::remove_file(&unfinished);
        say("\nstopped: nothing was written");
        exit(130);
    })
}

fn listen(handler: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(handler).map_err(|error| Failure::run(format!("Ctrl-C cannot be caught ({error})")))
}
