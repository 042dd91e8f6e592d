//! Whether the buffers of a measurement fit into memory.

use crate::kernel::{Kernel, Shape};
use crate::memory::mebibytes;
use burn::tensor::Device;
use ssft_model::DecoderConfig;
use ssft_run::device::{NamedDevice, available_bytes};

/// Buffers like the stored one (logits, scores) that must be free for a reference. It holds 2 at a time; one more keeps the
/// machine from swapping.
const REFERENCE_BUFFERS: u64 = 3;
/// The same with gradients, where the reference holds 3 at a time.
const REFERENCE_BUFFERS_WITH_GRADIENTS: u64 = 6;

/// A weight, its gradient and the two moments of AdamW, in f32: bytes a parameter.
const TRAINING_BYTES: u64 = 4 * 4;

/// Limits of a device and of the host's memory.
#[derive(Debug)]
pub struct Room {
    /// The device.
    pub device: Device,
    /// Largest buffer that a shader can bind, in bytes; none on the CPU.
    largest_buffer: Option<u64>,
}

impl Room {
    /// Limits of `device`.
    pub fn of(device: &NamedDevice) -> Self {
        let limits = device.adapter.as_ref().map(|adapter| &adapter.limits);
        let largest = limits.map(|limits| limits.max_storage_buffer_binding_size.min(limits.max_buffer_size));
        Self { device: device.device.clone(), largest_buffer: largest }
    }

    /// Why the inputs of `kernel` do not fit; `None` if they do. On every device the host needs room for the inputs and their
    /// gradients.
    pub fn refuses_inputs(&self, kernel: Kernel, shape: Shape) -> Option<String> {
        self.refuses("an input takes", &kernel.input_bytes(shape))
    }

    /// Why buffers of these sizes, in bytes, and results of the same sizes do not fit; `None` if they do. `what` is the subject of
    /// the message about the largest buffer: `an input takes`.
    pub fn refuses(&self, what: &str, buffers: &[u64]) -> Option<String> {
        let largest = buffers.iter().copied().max().unwrap_or_default();
        let all = buffers.iter().fold(0, |sum: u64, bytes| sum.saturating_add(*bytes));
        self.beyond_buffer(what, largest)
            .or_else(|| beyond_memory("inputs and gradients take", all.saturating_mul(2)))
    }

    /// Why a model in training does not fit; `None` if it does, or if it is not known: WebGPU does not tell the memory of a GPU.
    pub fn refuses_training(&self, model: &DecoderConfig) -> Option<String> {
        let bytes = (model.parameters() as u64).saturating_mul(TRAINING_BYTES);
        match self.largest_buffer {
            Some(_) => None,
            None => beyond_memory("weights, gradients and moments take", bytes),
        }
    }

    /// Why the reference of `kernel` does not fit; `None` if it does. The reference stores logits or scores whole.
    pub fn refuses_reference(&self, kernel: Kernel, shape: Shape) -> Option<String> {
        let (what, bytes) = kernel.stored_by_reference(shape)?;
        let copies =
            if kernel.has_gradients() { REFERENCE_BUFFERS_WITH_GRADIENTS } else { REFERENCE_BUFFERS };
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
    use crate::matmul::LinearShape;
    use ssft_model::config::Preset;

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
        let small = DecoderConfig::preset(Preset::Toy, 265);
        assert_eq!(room(None).refuses_training(&small), None);
        let refusal = room(None).refuses_training(&DecoderConfig { num_hidden_layers: 1 << 20, ..small });
        assert!(refusal.expect("700 GB").starts_with("weights, gradients and moments take "));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn sizes_beyond_64_bits_are_refused() {
        let shape: LinearShape = format!("{}x1x1", 1_u64 << 62).parse().expect("three numbers");
        assert!(shape.refused_by(&room(None)).is_some());
    }
}
