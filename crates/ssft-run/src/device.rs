//! From the setting `device` to a device.

use crate::error::RunError;
use crate::fits::check_binding;
use crate::settings::DeviceChoice;
use burn::tensor::Device;
use ssft_data::words::counted;
use ssft_kernels::adapters::{Adapter, AdapterError, adapters};
use ssft_model::DecoderConfig;

/// A device with its name.
#[derive(Debug, Clone)]
pub struct NamedDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// Name for messages.
    pub name: String,
    /// The adapter; none for the CPU.
    pub adapter: Option<Adapter>,
}

impl DeviceChoice {
    /// Starts the chosen device.
    ///
    /// # Errors
    /// [`RunError::Model`] if `wgpu` is asked for and there is no adapter, or the adapter does not start.
    pub fn open(self) -> Result<NamedDevice, RunError> {
        pollster::block_on(async {
            match pick(self, &if self == Self::Cpu { Vec::new() } else { adapters().await }) {
                None if self == Self::Wgpu => Err(RunError::model(AdapterError::None)),
                None => Ok(NamedDevice { device: Device::flex(), name: cpu_name(), adapter: None }),
                Some(adapter) => {
                    let device = adapter.start().await.map_err(RunError::model)?;
                    Ok(NamedDevice { device, name: adapter.describe(), adapter: Some(adapter.clone()) })
                }
            }
        })
    }
}

/// Limits of the default memory budget, in MiB.
const LEAST_BUDGET: u64 = 64;
const MOST_BUDGET: u64 = 4096;
/// Gradients and the two moments of AdamW, in f32: bytes a parameter beside the weights.
const OPTIMIZER_BYTES: u64 = 3 * 4;
/// WebGPU does not tell the memory of a GPU: the budget is this many of the adapter's largest buffers.
const BUFFERS: u64 = 4;

impl NamedDevice {
    /// Default of `memory-budget` in MiB, at most 4 GiB. On a GPU: four of the adapter's largest buffers. On the CPU: half of the
    /// memory that is free once the loaded `model` has its gradients and optimizer state.
    pub fn memory_budget(&self, model: &DecoderConfig) -> usize {
        let bytes = match (&self.adapter, available_bytes()) {
            (Some(adapter), _) => adapter.limits.max_buffer_size.saturating_mul(BUFFERS),
            (None, Some(free)) => free.saturating_sub(OPTIMIZER_BYTES * model.parameters() as u64) / 2,
            (None, None) => u64::MAX,
        };
        (bytes >> 20).clamp(LEAST_BUDGET, MOST_BUDGET) as usize
    }

    /// Refuses a model with a matrix larger than the adapter can bind.
    ///
    /// # Errors
    /// [`RunError::Model`] with both sizes.
    pub fn check_fits(&self, model: &DecoderConfig) -> Result<(), RunError> {
        let Some(adapter) = &self.adapter else { return Ok(()) };
        check_binding(model, adapter.limits.max_storage_buffer_binding_size)
            .map_err(|error| RunError::model(format!("{}: {error}; give `device` cpu", self.name)))
    }
}

/// Memory that Linux can give to a program without swapping, in bytes; unknown elsewhere.
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

/// The adapter to use among `adapters`, which are sorted best first; `None` for the CPU.
pub fn pick(choice: DeviceChoice, adapters: &[Adapter]) -> Option<&Adapter> {
    let best = adapters.first()?;
    match choice {
        DeviceChoice::Cpu => None,
        DeviceChoice::Wgpu => Some(best),
        DeviceChoice::Auto => Some(best).filter(|adapter| adapter.is_hardware()),
    }
}

/// Name of the CPU device for messages.
pub fn cpu_name() -> String {
    format!("CPU ({})", counted(rayon::current_num_threads(), "thread"))
}
