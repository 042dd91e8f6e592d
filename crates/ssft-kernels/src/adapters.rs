//! Which adapters wgpu sees, and which device a run takes.

use crate::source::{LaneTile, UnknownLaneTile};
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind};
use thiserror::Error;

/// An adapter of this machine.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// The driver's name for it.
    pub name: String,
    /// The graphics API it is reached through.
    pub api: wgpu::Backend,
    /// What the driver says it is.
    pub kind: wgpu::DeviceType,
    /// The driver and its version.
    pub driver: String,
    /// What it allows.
    pub limits: wgpu::Limits,
    /// Optional features of wgpu that it supports.
    pub features: wgpu::Features,
    /// Numbers of the vendor and of the device, on PCI where the API tells them; 0 where it does not.
    pub ids: [u32; 2],
    /// Smallest and largest subgroup, in invocations.
    pub subgroup: [u32; 2],
    /// Cooperative-matrix shapes that WGSL can use; empty if none.
    pub cooperative_matrices: Vec<wgpu::CooperativeMatrixProperties>,
    /// Its number among the adapters of its kind and API.
    index: usize,
}

/// No adapter to run on.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// wgpu sees none at all.
    #[error(
        "no graphics adapter was found; install a Vulkan driver (Debian: mesa-vulkan-drivers) or use --device cpu"
    )]
    None,
    /// The one that was chosen does not start.
    #[error("the adapter {name} does not start: {what}; try --device cpu")]
    Start {
        /// The adapter.
        name: String,
        /// The driver's own words.
        what: String,
    },
    /// `SSFT_LANE_TILE` has an unknown value.
    #[error(transparent)]
    LaneTile(#[from] UnknownLaneTile),
}

/// The APIs that carry our shaders, in the order in which burn prefers them.
const APIS: [wgpu::Backend; 3] = [wgpu::Backend::Vulkan, wgpu::Backend::Metal, wgpu::Backend::Dx12];

impl Adapter {
    /// True for hardware; false for a program that plays one, like lavapipe or SwiftShader.
    pub fn is_hardware(&self) -> bool {
        self.device_kind().is_some_and(|kind| !matches!(kind, DeviceKind::Cpu))
    }

    /// One line for people.
    pub fn describe(&self) -> String {
        let kind = if self.is_hardware() { "" } else { ", software" };
        format!("{} ({:?}{kind})", self.name, self.api)
    }

    fn device_kind(&self) -> Option<DeviceKind> {
        match self.kind {
            wgpu::DeviceType::DiscreteGpu => Some(DeviceKind::DiscreteGpu(self.index)),
            wgpu::DeviceType::IntegratedGpu => Some(DeviceKind::IntegratedGpu(self.index)),
            wgpu::DeviceType::VirtualGpu => Some(DeviceKind::VirtualGpu(self.index)),
            wgpu::DeviceType::Cpu => Some(DeviceKind::Cpu),
            wgpu::DeviceType::Other => None,
        }
    }

    /// Starts the adapter as a device of burn.
    ///
    /// # Errors
    /// [`AdapterError::Start`] with the driver's words; [`AdapterError::LaneTile`].
    pub async fn start(&self) -> Result<Device, AdapterError> {
        LaneTile::from_environment()?;
        let failed = |what: String| AdapterError::Start { name: self.name.clone(), what };
        let kind = self.device_kind().ok_or_else(|| failed("its kind is unknown to burn".to_owned()))?;
        let api = match self.api {
            wgpu::Backend::Metal => WgpuBackend::Metal,
            wgpu::Backend::Dx12 => WgpuBackend::Dx12,
            _ => WgpuBackend::Vulkan,
        };
        let options = Device::wgpu_options().device_kind(kind).graphics_api(api);
        options.init_async().await.map_err(|error| failed(error.to_string()))
    }
}

/// Every adapter of the first API that has hardware, or else of the first that has any; the best first.
pub async fn adapters() -> Vec<Adapter> {
    let mut software = Vec::new();
    for api in APIS {
        let mut found = adapters_of(api).await;
        found.sort_by_key(|adapter| preference(adapter.kind));
        if found.first().is_some_and(Adapter::is_hardware) {
            return found;
        }
        if software.is_empty() {
            software = found;
        }
    }
    software
}

async fn adapters_of(api: wgpu::Backend) -> Vec<Adapter> {
    let descriptor = wgpu::InstanceDescriptor {
        backends: api.into(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    };
    let mut adapters: Vec<Adapter> = Vec::new();
    for adapter in wgpu::Instance::new(descriptor).enumerate_adapters(api.into()).await {
        let info = adapter.get_info();
        adapters.push(Adapter {
            index: adapters.iter().filter(|other| other.kind == info.device_type).count(),
            name: info.name,
            api: info.backend,
            kind: info.device_type,
            driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
            limits: adapter.limits(),
            features: adapter.features(),
            ids: [info.vendor, info.device],
            subgroup: [info.subgroup_min_size, info.subgroup_max_size],
            cooperative_matrices: adapter.cooperative_matrix_properties(),
        });
    }
    adapters
}

/// Lower is better; a discrete card has memory of its own.
fn preference(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Cpu => 3,
        wgpu::DeviceType::Other => 4,
    }
}
