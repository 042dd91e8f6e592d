//! Tests of the whole task; each file has its own unit tests.

mod records;
mod traces;
