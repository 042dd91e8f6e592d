//! The browser's face: a session over the same train step and decoder as the native program.
//!
//! ```text
//! page ── messages ──> worker ──> Session ─┬─ loadModel, newModel ──────> held     (model, forks, training)
//!                                          ├─ generate ─────────────────> ssft-decode
//!                                          ├─ train, evaluate ──────────> ssft-run (the loop of a run, as events)
//!                                          └─ exportModel, exportState ─> files by name
//! ```
//!
//! `session` is the interface, [`options`] the options of its calls, [`held`] the model that it holds and its training, [`step_line`]
//! the news of a step. `device` starts WebGPU or the CPU and tests it (`ssft_run::step_test`). `failures` records panics and refused shaders,
//! [`error`] has the messages, `breath` lets the event loop run between two steps, [`maze`] prepares mazes for drawing. No mathematics
//! here, and none in the page.

pub mod error;
pub mod held;
pub mod maze;
pub mod options;
pub mod step_line;

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod breath;
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
