//! Tests of the whole task; what concerns one file alone is tested there.

mod records;
mod traces;
