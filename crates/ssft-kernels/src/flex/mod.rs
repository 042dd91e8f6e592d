//! The operations on the CPU: the same tiles, in a core's cache, on all cores.

mod exponential;
pub mod linear_nll;
mod matrix;
pub mod segment_mean;
