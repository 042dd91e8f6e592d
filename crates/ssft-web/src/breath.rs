//! Letting the browser do its own work between ours.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;
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

/// One turn of the event loop: promises alone go before any message, and a timer is held back for 4 ms.
async fn turn() {
    let Ok(channel) = MessageChannel::new() else { return };
    let promise = Promise::new(&mut |resolve, _| {
        channel.port1().set_onmessage(Some(&resolve));
        if channel.port2().post_message(&JsValue::NULL).is_err() {
            drop(resolve.call0(&JsValue::UNDEFINED));
        }
    });
    // The promise is never rejected.
    drop(JsFuture::from(promise).await);
    channel.port1().close();
}
