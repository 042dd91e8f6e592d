//! Conversion of values from and to JavaScript: plain data as JSON, files by name, callbacks.

use crate::error::SessionError;
use crate::stopped::Stopped;
use js_sys::{Function, Object, Promise, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ssft_data::dataset::{Limits, parse_records};
use ssft_data::record::Record;
use ssft_model::directory::Files;
use ssft_run::in_memory::NamedBytes;
use std::ops::ControlFlow;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

/// A value as a plain object, with the names of the native program's JSON files.
///
/// # Errors
/// An `Error` of JavaScript if `value` cannot be written as JSON.
pub fn to_js(value: &impl Serialize) -> Result<JsValue, JsValue> {
    let text = serde_json::to_string(value).map_err(|error| js_sys::Error::new(&error.to_string()))?;
    js_sys::JSON::parse(&text)
}

/// Reads the argument of `call`; returns the default for `undefined` and `null`.
///
/// # Errors
/// [`SessionError::Argument`] with the name of an unknown option or of one with the wrong type.
pub fn read<T: DeserializeOwned + Default>(call: &'static str, value: JsValue) -> Result<T, SessionError> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    let refused = |what: String| SessionError::Argument { call, what };
    let text = js_sys::JSON::stringify(&value).ok().and_then(|text| text.as_string());
    let options = text.and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let options = options.ok_or_else(|| refused("the options are not a plain object".to_owned()))?;
    serde_json::from_value(options.clone())
        .map_err(|error| refused(refused_option::<T>(&options).unwrap_or_else(|| error.to_string())))
}

/// Name of the first option that `T` does not take, and the reason. Every option has a default, so each is read alone.
fn refused_option<T: DeserializeOwned>(options: &Value) -> Option<String> {
    options.as_object()?.iter().find_map(|(name, value)| {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        let error = serde_json::from_value::<T>(Value::Object(alone)).err()?;
        Some(format!("{name}: {error}"))
    })
}

/// Records of a batch, checked like the lines of a data file.
///
/// # Errors
/// [`SessionError::Argument`] for anything but an array of plain objects, [`SessionError::Data`] for an invalid record.
pub fn records(batch: &JsValue) -> Result<Vec<Record>, Stopped> {
    let refused = |what: &str| SessionError::Argument { call: "trainStep", what: what.to_owned() };
    let batch =
        batch.dyn_ref::<js_sys::Array>().ok_or_else(|| refused("batch is not an array of records"))?;
    let mut lines = String::new();
    for record in batch.iter() {
        let line = js_sys::JSON::stringify(&record).ok().and_then(|line| line.as_string());
        lines += &line.ok_or_else(|| refused("a record in batch is not a plain object"))?;
        lines.push('\n');
    }
    if lines.is_empty() {
        Err(refused("batch is empty; give at least one record"))?;
    }
    Ok(parse_records("batch", lines.as_bytes(), &Limits::default())?)
}

/// File contents by name, copied from an object of `Uint8Array`s.
///
/// # Errors
/// [`SessionError::Argument`] for any other value.
pub fn named_bytes(files: &JsValue) -> Result<NamedBytes, Stopped> {
    let refused = |what: String| SessionError::Argument { call: "loadModel", what };
    let names = Reflect::own_keys(files)
        .map_err(|_| refused("the files are not an object of Uint8Arrays by file name".to_owned()))?;
    let mut named = NamedBytes::new();
    for name in names.iter().filter_map(|key| key.as_string()) {
        let bytes = Reflect::get(files, &name.as_str().into()).map_err(Stopped::Thrown)?;
        let bytes =
            bytes.dyn_into::<Uint8Array>().map_err(|_| refused(format!("{name} is not a Uint8Array")))?;
        named.insert(name, bytes.to_vec());
    }
    Ok(named)
}

/// An object of `Uint8Array`s by file name.
pub async fn named_files(files: &Files) -> Result<Object, Stopped> {
    let all = Object::new();
    for (name, content) in files {
        let mut bytes = Vec::new();
        content.write(&mut bytes).await?;
        Reflect::set(&all, &name.into(), &Uint8Array::from(bytes.as_slice())).map_err(Stopped::Thrown)?;
    }
    Ok(all)
}

/// Calls `callback` with `news` and awaits its result. Returns `Break` if the result is `false`, or if the callback throws; the
/// thrown value is then stored in `thrown`.
pub async fn heard(
    callback: Option<&Function>,
    news: &impl Serialize,
    thrown: &mut Option<JsValue>,
) -> ControlFlow<()> {
    let Some(callback) = callback else { return ControlFlow::Continue(()) };
    let told = async { awaited(callback.call1(&JsValue::UNDEFINED, &to_js(news)?)?).await };
    match told.await {
        Ok(answer) if answer == JsValue::FALSE => ControlFlow::Break(()),
        Ok(_) => ControlFlow::Continue(()),
        Err(error) => {
            *thrown = Some(error);
            ControlFlow::Break(())
        }
    }
}

/// The result of a promise; any other value unchanged.
pub async fn awaited(answer: JsValue) -> Result<JsValue, JsValue> {
    match answer.dyn_ref::<Promise>() {
        Some(promise) => JsFuture::from(promise.clone()).await,
        None => Ok(answer),
    }
}

/// Returns the value that a callback threw as an error.
///
/// # Errors
/// [`Stopped::Thrown`] if `thrown` has a value.
pub fn rethrow(thrown: Option<JsValue>) -> Result<(), Stopped> {
    thrown.map_or(Ok(()), |error| Err(Stopped::Thrown(error)))
}
