//! Tests of the whole task; each file has its own unit tests.

mod by_hand;
mod records;
mod traces;
