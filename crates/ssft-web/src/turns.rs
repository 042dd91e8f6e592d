//! Turns of the browser's event loop between two pieces of computation.

use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;
use web_time::{Duration, Instant};

/// Time after which the next call of [`Turns::give_if_due`] waits for a turn. A longer one would delay the message that stops the
/// work.
const INTERVAL: Duration = Duration::from_millis(12);

/// Time of the last turn of the event loop.
#[derive(Debug)]
pub struct Turns(Instant);

impl Turns {
    /// Sets the time of the last turn to now.
    pub fn new() -> Self {
        Self(Instant::now())
    }

    /// Waits for a turn of the event loop if the last one was more than [`INTERVAL`] ago.
    pub async fn give_if_due(&mut self) {
        if self.0.elapsed() > INTERVAL {
            turn().await;
            self.0 = Instant::now();
        }
    }
}

/// One turn of the event loop, by a message to itself. An awaited promise alone is resumed before pending messages are handled,
/// and a timer waits for at least 4 ms.
async fn turn() {
    let Ok(channel) = MessageChannel::new() else { return };
    let promise = Promise::new(&mut |resolve, _| {
        channel.port1().set_onmessage(Some(&resolve));
        if channel.port2().post_message(&JsValue::NULL).is_err() {
            drop(resolve.call0(&JsValue::UNDEFINED));
        }
    });
    // The result is dropped: the promise is never rejected.
    drop(JsFuture::from(promise).await);
    channel.port1().close();
}
