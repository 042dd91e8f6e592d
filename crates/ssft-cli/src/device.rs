//! From `--device` to a device.

use crate::exit::Failure;
use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use ssft_data::words::counted;
use ssft_kernels::adapters::{Adapter, AdapterError, adapters};
use ssft_model::DecoderConfig;

/// Where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A real GPU if there is one, else the CPU.
    Auto,
    /// The best adapter wgpu sees, a software one if need be.
    Wgpu,
    /// The CPU, multi-threaded.
    Cpu,
}

/// A device with its name.
#[derive(Debug, Clone)]
pub struct NamedDevice {
    /// The device, without autodiff.
    pub device: Device,
    /// For people.
    pub name: String,
    /// What it runs on; none for the CPU.
    pub adapter: Option<Adapter>,
}

impl DeviceChoice {
    /// Starts the chosen device.
    ///
    /// # Errors
    /// [`Failure::Usage`] if `wgpu` is asked for and there is no adapter, or the adapter does not start.
    pub fn open(self) -> Result<NamedDevice, Failure> {
        pollster::block_on(async {
            match pick(self, &if self == Self::Cpu { Vec::new() } else { adapters().await }) {
                None if self == Self::Wgpu => Err(Failure::usage(AdapterError::None)),
                None => Ok(NamedDevice { device: Device::flex(), name: cpu_name(), adapter: None }),
                Some(adapter) => {
                    let device = adapter.start().await.map_err(Failure::usage)?;
                    Ok(NamedDevice { device, name: adapter.describe(), adapter: Some(adapter.clone()) })
                }
            }
        })
    }
}

impl NamedDevice {
    /// MiB that the passes of a step may take where nobody says: four of the adapter's largest buffers, at most 4 GiB
    /// (WebGPU tells no more of a GPU's memory); on the CPU, half of what is free once `model`, which is there already, has
    /// its gradients and its optimizer's two moments.
    pub fn memory_budget(&self, model: &DecoderConfig) -> usize {
        const MOST: u64 = 4096;
        let bytes = match &self.adapter {
            Some(adapter) => adapter.limits.max_buffer_size.saturating_mul(4),
            None => {
                let optimizer = 3 * 4 * model.parameters() as u64;
                available_bytes().unwrap_or((MOST << 21) + optimizer).saturating_sub(optimizer) / 2
            }
        };
        (bytes >> 20).clamp(64, MOST) as usize
    }

    /// Refuses a model with a matrix that is larger than what the adapter lets a shader see at once.
    ///
    /// # Errors
    /// [`Failure::Usage`] with both sizes.
    pub fn check_fits(&self, model: &DecoderConfig) -> Result<(), Failure> {
        let Some(adapter) = &self.adapter else { return Ok(()) };
        let (largest, most) = (model.largest_matrix_bytes(), adapter.limits.max_storage_buffer_binding_size);
        if largest <= most {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "{}: the model's largest matrix has {} MiB, but the adapter binds at most {} MiB; use --device cpu",
            self.name,
            largest >> 20,
            most >> 20
        )))
    }
}

/// What Linux could give to a program without swapping; unknown elsewhere.
pub fn available_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

/// The adapter to use out of those there are, best first; `None` for the CPU.
pub fn pick(choice: DeviceChoice, adapters: &[Adapter]) -> Option<&Adapter> {
    let best = adapters.first()?;
    match choice {
        DeviceChoice::Cpu => None,
        DeviceChoice::Wgpu => Some(best),
        DeviceChoice::Auto => Some(best).filter(|adapter| adapter.is_hardware()),
    }
}

/// The CPU device for people.
pub fn cpu_name() -> String {
    format!("CPU ({})", counted(rayon::current_num_threads(), "thread"))
}
