//! Ctrl-C.

use crate::exit::{Failure, say};
use ssft_data::whole_file::abandon;
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

/// Lets Ctrl-C end the program without leaving half a file behind.
///
/// # Errors
/// [`Failure::Run`] if the system lets nobody listen.
pub fn abandon_when_interrupted() -> Result<(), Failure> {
    listen(|| {
        say(if abandon() { "\nstopped: nothing was written" } else { "\nstopped" });
        exit(130);
    })
}

fn listen(handler: impl FnMut() + Send + 'static) -> Result<(), Failure> {
    ctrlc::set_handler(handler).map_err(|error| Failure::run(format!("Ctrl-C cannot be caught ({error})")))
}
