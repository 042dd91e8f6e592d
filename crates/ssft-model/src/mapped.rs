//! Parts of files as memory.

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// The bytes `start .. start + length` of `file`, read by the system as they are touched and given back when dropped.
///
/// # Errors
/// Whatever the system says.
#[allow(unsafe_code, reason = "mapping a file is unsafe by nature, and this is the only place that does")]
pub fn map(file: &File, start: u64, length: usize) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and private to this crate, which copies numbers out of it, every pattern of whose
    // bits is one, and keeps no reference: bytes that another program changes meanwhile are wrong numbers. A file that
    // another program cuts short while it is read ends the process with a bus error, as in every program that maps
    // files; what was saved before is whole, since nothing is ever written in place.
    unsafe { MmapOptions::new().offset(start).len(length).map(file) }
}
