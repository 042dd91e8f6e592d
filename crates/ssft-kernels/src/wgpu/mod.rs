//! The operations as WGSL, one host file an operation.

mod launch;
pub mod linear_nll;
pub mod segment_mean;
