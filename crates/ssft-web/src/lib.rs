//! The browser's face: a session over the same train step and decoder as the native program.
//!
//! ```text
//! page ── messages ──> worker ──> Session ─┬─ loadModel, newModel ──────> held     (model, forks, training)
//!                                          ├─ generate, evaluate ───────> ssft-decode
//!                                          ├─ trainStep, train, probe ──> ssft-train
//!                                          └─ exportModel, exportState ─> files by name
//! ```
//!
//! [`session`] is the interface; [`options`] what its calls may be told; [`held`] what it holds. [`device`] starts WebGPU or the
//! CPU and tests it ([`step_test`]); [`failures`] notices what no call could return, [`error`] puts all else in words;
//! [`breath`] lets messages in between; [`maze`] is for the eye. No mathematics here, and none in the page.

#![cfg(all(target_family = "wasm", target_os = "unknown"))]

pub mod breath;
pub mod device;
pub mod error;
pub mod failures;
pub mod held;
pub mod maze;
pub mod options;
pub mod session;
pub mod step_test;
