//! Failures that no call can return as an error: panics, and shaders that the browser refuses.

use crate::error::SessionError;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::sync::{Mutex, Once, PoisonError};

/// Message of the first shader that the browser refused. CubeCL logs it from a task of its own, and computing continues with the
/// previous content of the output buffer.
static GPU: Mutex<Option<String>> = Mutex::new(None);

/// Message of the first panic. The call that panicked does not return, and the data that it borrowed stays locked.
static PANIC: Mutex<Option<String>> = Mutex::new(None);

struct Watch;

impl Log for Watch {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() == Level::Error
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // The first line is the message; the source of the shader follows.
            note(&GPU, record.args().to_string().lines().next().unwrap_or_default());
        }
    }

    fn flush(&self) {}
}

/// Installs the logger and the panic hook that record failures.
pub fn watch() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Watch).is_ok() {
            log::set_max_level(LevelFilter::Error);
        }
        // A panic ends the module. Thrown here, its message reaches the page; otherwise the page gets "unreachable".
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

/// Refuses to continue after a panic and, if the device is the browser's GPU (`on_gpu`), after a refused shader.
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
