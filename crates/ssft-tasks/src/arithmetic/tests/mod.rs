//! Tests of the whole task; what concerns one file alone is tested there.

mod by_hand;
mod records;
mod traces;
