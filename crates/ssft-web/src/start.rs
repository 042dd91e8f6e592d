//! What runs once, before any call.

#![allow(unsafe_code, reason = "there is no other way to call what the linker makes")]

use wasm_bindgen::prelude::wasm_bindgen;

unsafe extern "C" {
    /// Made by the linker: all constructors of static values.
    fn __wasm_call_ctors();
}

/// Runs the constructors by which CubeCL's parts register themselves. Unless somebody calls them by name, the linker has every
/// export run all of them again: a millisecond for each call, however small.
#[wasm_bindgen(start)]
fn start() {
    // SAFETY: called once, by the bindings, before any other export; the constructors take and return nothing.
    unsafe { __wasm_call_ctors() };
}
