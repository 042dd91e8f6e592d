//! What goes wrong where no call can return it: panics, and shaders that the browser refuses.

use crate::error::SessionError;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Once, PoisonError};

/// The first failure since the module was started. CubeCL logs a refused shader from a task of its own, and what is
/// computed goes on with whatever the buffer held before.
static FAILURE: Mutex<Option<String>> = Mutex::new(None);

/// WebGPU failed before anything was asked of it, and nothing computes on it: what it still reports is of no account.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);

struct Watch;

impl Log for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) && !GIVEN_UP.load(Ordering::Relaxed) {
            // Its first line; the source of the shader follows.
            note(record.args().to_string().lines().next().unwrap_or_default());
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
            note(words);
            wasm_bindgen::throw_str(&format!("the program has a fault: {words}"));
        }));
    });
}

/// Goes on without WebGPU.
pub fn give_up_webgpu() {
    GIVEN_UP.store(true, Ordering::Relaxed);
    *FAILURE.lock().unwrap_or_else(PoisonError::into_inner) = None;
}

fn note(what: &str) {
    FAILURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| what.to_owned());
}

/// Refuses to go on after a failure.
///
/// # Errors
/// [`SessionError::Broken`].
pub fn check() -> Result<(), SessionError> {
    match FAILURE.lock().unwrap_or_else(PoisonError::into_inner).clone() {
        Some(what) => Err(SessionError::Broken { what }),
        None => Ok(()),
    }
}
