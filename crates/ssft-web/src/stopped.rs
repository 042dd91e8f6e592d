//! Failures on their way to JavaScript: an `Error` whose `cause` goes down to the bottom.

use crate::error::SessionError;
use ssft_run::options::underscored;
use ssft_run::spelled;
use wasm_bindgen::JsValue;

/// The `name` of an error after which only a new module can go on.
const DEVICE: &str = "DeviceError";

/// How a call of a session may end that is not success.
#[derive(Debug)]
pub enum Stopped {
    /// For a reason of ours.
    Failed(SessionError),
    /// A callback threw this.
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

/// `error` and, as its `cause`, what is behind it.
fn thrown(error: &dyn std::error::Error) -> js_sys::Error {
    let thrown = js_sys::Error::new(&spelled(&error.to_string(), underscored));
    if let Some(source) = error.source() {
        thrown.set_cause(&self::thrown(source));
    }
    thrown
}
