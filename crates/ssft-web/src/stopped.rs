//! Conversion of errors to JavaScript: an `Error` with the chain of causes in `cause`.

use crate::error::SessionError;
use ssft_run::options::underscored;
use ssft_run::spelled;
use wasm_bindgen::JsValue;

/// `name` of an error after which only a new module can continue.
const DEVICE: &str = "DeviceError";

/// Reason why a call of a session failed.
#[derive(Debug)]
pub enum Stopped {
    /// An error of the session.
    Failed(SessionError),
    /// The value that a callback threw.
    Thrown(JsValue),
}

impl<T: Into<SessionError>> From<T> for Stopped {
    fn from(error: T) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Stopped> for JsValue {
    fn from(stopped: Stopped) -> Self {
        match stopped {
            Stopped::Failed(error) => {
                let thrown = thrown(&error);
                if error.is_of_device() {
                    thrown.set_name(DEVICE);
                }
                thrown.into()
            }
            Stopped::Thrown(value) => value,
        }
    }
}

/// `error` as an `Error` of JavaScript, its source as the `cause`.
fn thrown(error: &dyn std::error::Error) -> js_sys::Error {
    let thrown = js_sys::Error::new(&spelled(&error.to_string(), underscored));
    if let Some(source) = error.source() {
        thrown.set_cause(&self::thrown(source));
    }
    thrown
}
