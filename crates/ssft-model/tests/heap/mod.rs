//! Heap memory as counted by the allocator. The count covers all threads of a process, so only one test may run at a time.

use peakmem_alloc::{INSTRUMENTED_SYSTEM, PeakMemAlloc, PeakMemAllocTrait as _};
use std::alloc::System;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[global_allocator]
static HEAP: &PeakMemAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Lock for the test that measures.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Peak of the bytes that `work` allocates beyond those allocated before, and its result.
pub fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    HEAP.reset_peak_memory();
    let before = HEAP.get_peak_memory();
    let done = work();
    (HEAP.get_peak_memory() - before, done)
}
