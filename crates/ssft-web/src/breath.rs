//! Letting the browser do its own work between ours.

use js_sys::Promise;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Window, WorkerGlobalScope};
use web_time::{Duration, Instant};

/// Work for longer than this delays the messages that could stop it.
const LONGEST: Duration = Duration::from_millis(12);

/// Remembers when the event loop had its last turn.
#[derive(Debug)]
pub struct Breath(Instant);

impl Breath {
    /// Now.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits for a turn of the event loop, if the last one is a while ago.
    pub async fn take(&mut self) {
        if self.0.elapsed() > LONGEST {
            turn().await;
            self.0 = Instant::now();
        }
    }
}

/// One turn of the event loop: promises alone go before any message.
async fn turn() {
    let promise = Promise::new(&mut |resolve, _| {
        let global = js_sys::global();
        let asked = match global.dyn_ref::<Window>() {
            Some(window) => window.set_timeout_with_callback(&resolve),
            None => global.unchecked_into::<WorkerGlobalScope>().set_timeout_with_callback(&resolve),
        };
        if asked.is_err() {
            drop(resolve.call0(&JsValue::UNDEFINED));
        }
    });
    // The promise is never rejected.
    drop(JsFuture::from(promise).await);
}
