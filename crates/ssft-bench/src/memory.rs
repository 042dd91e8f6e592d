//! Peak memory of a piece of work, on the CPU or a GPU.

use burn::tensor::Device;
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use std::alloc::System;

/// Allocator of every program that links this crate: the system's, and two atomic additions an allocation that count its bytes.
#[global_allocator]
static HEAP: PeakMemAlloc<System> = PeakMemAlloc::system();

/// Largest number of bytes that `work` holds at a time, in addition to what was allocated before it.
///
/// On a GPU these are bytes of its memory (see [`ssft_kernels::memory`]); on the CPU they are bytes of the program's heap, so
/// other threads must not allocate meanwhile.
pub fn peak_bytes(device: &Device, work: impl Fn() + Send + Sync) -> u64 {
    ssft_kernels::memory::peak_bytes(device, &work).unwrap_or_else(|| {
        HEAP.reset_peak_memory();
        work();
        HEAP.get_peak_memory() as u64
    })
}

/// Bytes as MiB with two decimals: `128.50`.
///
/// ```
/// assert_eq!(ssft_bench::memory::mebibytes(3 << 19), "1.50");
/// ```
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.2}", bytes as f64 / f64::from(1 << 20))
}
