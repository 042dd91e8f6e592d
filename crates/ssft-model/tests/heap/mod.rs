//! Memory as the allocator counts it: one test at a time, since all threads of a process are counted together.

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};
use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static HEAP: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Held by the test that is counted.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Most bytes that `work` held beyond what was there before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    HEAP.reset_peak_memory();
    let before = HEAP.get_peak_memory();
    let done = work();
    (HEAP.get_peak_memory() - before, done)
}
