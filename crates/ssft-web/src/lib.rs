//! Interface for the browser: a session over the same train step and decoder as the native program.
//!
//! ```text
//! page ── messages ──> worker ──> Session ─┬─ loadModel, newModel ──────> held     (model, forks, training)
//!                                          ├─ generate ─────────────────> ssft-decode
//!                                          ├─ train, evaluate ──────────> ssft-run (the loop of a run, as events)
//!                                          └─ exportModel, exportState ─> files by name
//! ```
//!
//! | module | subject |
//! |---|---|
//! | `session` | the class `Session` and a few functions, as JavaScript calls them |
//! | [`options`] | options of the calls |
//! | [`held`] | content of a session: a model and its training |
//! | `listener` | calls of JavaScript for the events of a training |
//! | [`step_line`] | report of a training step |
//! | `device` | start and test of WebGPU or the CPU (`ssft_run::step_test`) |
//! | `failures` | record of panics and refused shaders |
//! | [`error`], `stopped` | errors and their messages |
//! | `javascript` | conversion of values from and to JavaScript |
//! | `turns` | turns of the event loop during computation |
//! | [`maze`] | mazes prepared for drawing |
//!
//! All mathematics is in the other crates, none here or in the page.

pub mod error;
pub mod held;
pub mod maze;
pub mod options;
pub mod step_line;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod device;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod failures;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod javascript;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod listener;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub mod session;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod stopped;
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod turns;
