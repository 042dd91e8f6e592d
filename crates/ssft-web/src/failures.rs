//! What goes wrong where no call can return it: panics, and shaders that the browser refuses.

use crate::error::SessionError;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::{Mutex, Once, PoisonError};

/// The first refusal of the browser. CubeCL logs a refused shader from a task of its own, and what is computed goes on with
/// whatever the buffer held before.
static GPU: Mutex<Option<String>> = Mutex::new(None);

/// The first panic. It ends what it was in, and what that held stays locked.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

struct Watch;

impl Log for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Its first line; the source of the shader follows.
            note(&GPU, record.args().to_string().lines().next().unwrap_or_default());
        }
    }

    fn flush(&self) {}
}

/// Starts to watch.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Watch).is_ok() {
            log::set_max_level(LevelFilter::Error);
        }
        // A panic ends the module. Thrown from here it reaches the page in words, not as "unreachable".
        std::panic::set_hook(Box::new(|panic| {
            let words = panic.payload_as_str().unwrap_or("something unknown");
            note(&PANIC, words);
            wasm_bindgen::throw_str(&format!("the program has a fault: {words}"));
        }));
    });
}

fn note(failure: &Mutex<Option<String>>, what: &str) {
    failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| what.to_owned());
}

/// Refuses to go on after a panic, and after a refusal where the browser's GPU computes (`on_gpu`).
///
/// # Errors
/// [`SessionError::Panicked`], [`SessionError::Broken`].
pub fn check(on_gpu: bool) -> Result<(), SessionError> {
    let of = |failure: &Mutex<Option<String>>| failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(what) = of(&PANIC) {
        return Err(SessionError::Panicked { what });
    }
    match of(&GPU).filter(|_| on_gpu) {
        Some(what) => Err(SessionError::Broken { what }),
        None => Ok(()),
    }
}
