//! How much memory a run takes, and whether there is enough.

use super::cases::{Kernel, Shape};
use super::output::mebibytes;
use burn::tensor::Device;
use peakmem_alloc::{PeakMemAlloc, PeakMemAllocTrait};
use ssft_run::device::{NamedDevice, available_bytes};
use std::alloc::System;

/// Counts what the whole program takes from the heap: two atomic additions an allocation.
#[global_allocator]
static HEAP: PeakMemAlloc<System> = PeakMemAlloc::system();

/// Most bytes that `work` needs at a time beyond what was there before it: of the device's memory on a GPU (see
/// [`ssft_kernels::memory`]), of the heap on the CPU.
///
/// The heap is the whole program's, so nothing else may run meanwhile.
pub fn peak_bytes(device: &Device, work: impl Fn() + Send + Sync) -> u64 {
    ssft_kernels::memory::peak_bytes(device, &work).unwrap_or_else(|| {
        HEAP.reset_peak_memory();
        work();
        HEAP.get_peak_memory() as u64
    })
}

/// What there is room for.
#[derive(Debug)]
pub struct Room {
    /// Where it has to fit.
    pub device: Device,
    /// The largest buffer that a shader may read; none on the CPU.
    largest_buffer: Option<u64>,
}

impl Room {
    /// The room on `device`.
    pub fn of(device: &NamedDevice) -> Self {
        let limits = device.adapter.as_ref().map(|adapter| &adapter.limits);
        let largest = limits.map(|limits| limits.max_storage_buffer_binding_size.min(limits.max_buffer_size));
        Self { device: device.device.clone(), largest_buffer: largest }
    }

    /// Why the inputs cannot be there, if so. The host needs room for them and their gradients on every device.
    pub fn refuses_inputs(&self, kernel: Kernel, shape: Shape) -> Option<String> {
        self.refuses("an input takes", &kernel.input_bytes(shape))
    }

    /// Why buffers of these sizes, and as many results, cannot be there, if so. `what` names the largest: `an input takes`.
    pub fn refuses(&self, what: &str, buffers: &[u64]) -> Option<String> {
        let largest = buffers.iter().copied().max().unwrap_or_default();
        self.beyond_buffer(what, largest)
            .or_else(|| beyond_memory("inputs and gradients take", 2 * buffers.iter().sum::<u64>()))
    }

    /// Why the reference cannot be run, if so: it stores the logits (or scores) in one piece, and several like it. At a
    /// time these are 2, or 3 with gradients; asked for is room for 3 and 6, for a machine that swaps measures nothing.
    pub fn refuses_reference(&self, kernel: Kernel, shape: Shape) -> Option<String> {
        let (what, bytes) = kernel.stored_by_reference(shape)?;
        let copies = if kernel.has_gradients() { 6 } else { 3 };
        match self.largest_buffer {
            Some(_) => self.beyond_buffer(&format!("the {what} take"), bytes),
            None => beyond_memory(&format!("{copies} buffers of {what} take"), copies * bytes),
        }
    }

    fn beyond_buffer(&self, what: &str, bytes: u64) -> Option<String> {
        let most = self.largest_buffer.filter(|&most| bytes > most)?;
        Some(format!(
            "{what} {} MiB, a buffer of this adapter at most {} MiB",
            mebibytes(bytes),
            mebibytes(most)
        ))
    }
}

fn beyond_memory(what: &str, bytes: u64) -> Option<String> {
    let available = available_bytes().filter(|&available| bytes > available)?;
    Some(format!("{what} {} MiB, {} MiB are available", mebibytes(bytes), mebibytes(available)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(largest_buffer: Option<u64>) -> Room {
        Room { device: Device::flex(), largest_buffer }
    }

    #[test]
    fn an_adapter_refuses_what_no_buffer_of_it_holds() {
        let room = room(Some(128 << 20));
        let shape = Shape { rows: 256, width: 64, vocab: 1 << 17 };
        assert_eq!(room.refuses_reference(Kernel::LinearNll, shape), None, "exactly as much as a buffer");
        let shape = Shape { rows: 257, ..shape };
        let says = "the logits take 128.50 MiB, a buffer of this adapter at most 128.00 MiB";
        assert_eq!(room.refuses_reference(Kernel::LinearNll, shape).as_deref(), Some(says));
        assert_eq!(room.refuses_reference(Kernel::RmsNorm, shape), None);
        let kernel = Kernel::LinearNll;
        assert_eq!(room.refuses_inputs(kernel, shape), None);
        let says = "an input takes 256.00 MiB, a buffer of this adapter at most 128.00 MiB";
        assert_eq!(room.refuses_inputs(kernel, Shape { width: 512, ..shape }).as_deref(), Some(says));
        let square = Shape { rows: 1, width: 1 << 13, vocab: 1 };
        assert_eq!(room.refuses_inputs(Kernel::Linear, square).as_deref(), Some(says));
        let long = Shape { rows: 1 << 13, width: 32, vocab: 1 };
        let says = "the scores take 256.00 MiB, a buffer of this adapter at most 128.00 MiB";
        assert_eq!(room.refuses_reference(Kernel::TreeAttention, long).as_deref(), Some(says));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_cpu_refuses_what_memory_does_not_hold() {
        let most = available_bytes().expect("MemAvailable") as usize;
        let shape = Shape { rows: 1 << 10, width: 1, vocab: most / (4 << 10) / 4 };
        assert_eq!(room(None).refuses_reference(Kernel::LinearNll, shape), None, "three quarters");
        let refusal =
            room(None).refuses_reference(Kernel::LinearNllGradients, shape).expect("one and a half");
        assert!(refusal.starts_with("6 buffers of logits take "), "{refusal}");
    }
}
