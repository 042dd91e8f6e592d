//! The browser's face: a session over the same train step and decoder as the native program.
//!
//! ```text
//! page ── messages ──> worker ──> Session ─┬─ loadModel, newModel ──────> held     (model, forks, training)
//!                                          ├─ generate, evaluate ───────> ssft-decode
//!                                          ├─ trainStep, train, probe ──> ssft-train
//!                                          └─ exportModel, exportState ─> files by name
//! ```
//!
//! `session` is the interface; [`options`] what its calls may be told; [`held`] what it holds, [`course`] a training of it. `device` starts WebGPU or the
//! CPU and tests it ([`step_test`]); `failures` notices what no call could return, [`error`] puts all else in words;
//! `breath` lets messages in between; [`maze`] is for the eye. No mathematics here, and none in the page.

pub mod course;
pub mod error;
pub mod held;
pub mod maze;
pub mod options;
pub mod step_test;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod breath;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod device;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod failures;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod javascript;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub mod session;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod stopped;
