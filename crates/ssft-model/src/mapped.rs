//! Memory-mapped parts of files: the only unsafe code of the crate.

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// Maps the bytes `start .. start + length` of `file`. Pages are read on access and released when the map is dropped.
///
/// # Errors
/// The error of the operating system.
#[allow(unsafe_code, reason = "mapping a file is unsafe, since other programs may change it")]
pub fn map(file: &File, start: u64, length: usize) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this crate, which copies numbers out of it and keeps no reference.
    // Every bit pattern is a valid number, so a file that another program changes meanwhile gives wrong numbers at worst.
    // A file that another program truncates meanwhile ends the process with a bus error, as in every program that maps
    // files; files saved earlier stay intact, since no file is written in place.
    unsafe { MmapOptions::new().offset(start).len(length).map(file) }
}
