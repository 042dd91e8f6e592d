//! Graphics adapters that wgpu finds, and how one becomes a device of burn.

use crate::lane_tile::{LaneTile, UnknownLaneTile};
use burn::tensor::wgpu::WgpuBackend;
use burn::tensor::{Device, DeviceKind};
use thiserror::Error;

/// A graphics adapter of this machine: a card, or a driver that computes on the CPU.
#[derive(Debug, Clone)]
pub struct Adapter {
    /// Name that the driver gives it.
    pub name: String,
    /// Graphics API through which it is used.
    pub api: wgpu::Backend,
    /// Type that the driver reports.
    pub kind: wgpu::DeviceType,
    /// Name and version of the driver.
    pub driver: String,
    /// Its limits, for example the largest buffer.
    pub limits: wgpu::Limits,
    /// Optional features of wgpu that it supports.
    pub features: wgpu::Features,
    /// PCI numbers of vendor and device; 0 where the API does not report them.
    pub ids: [u32; 2],
    /// Smallest and largest size of a subgroup, in invocations.
    pub subgroup: [u32; 2],
    /// Cooperative-matrix shapes that WGSL can use; empty if none.
    pub cooperative_matrices: Vec<wgpu::CooperativeMatrixProperties>,
    /// Index among the adapters of the same type and API.
    index: usize,
}

/// No adapter can be used.
#[derive(Debug, Error)]
pub enum AdapterError {
    /// wgpu finds none.
    #[error(
        "no graphics adapter was found; install a Vulkan driver (Debian: mesa-vulkan-drivers) or set `device` to cpu"
    )]
    None,
    /// The selected adapter does not start.
    #[error("the adapter {name} does not start: {what}; try `device` cpu")]
    Start {
        /// Name of the adapter.
        name: String,
        /// Message of the driver.
        what: String,
    },
    /// `SSFT_LANE_TILE` has an unknown value.
    #[error(transparent)]
    LaneTile(#[from] UnknownLaneTile),
}

/// APIs that run WGSL through wgpu, in the order in which burn prefers them.
const APIS: [wgpu::Backend; 3] = [wgpu::Backend::Vulkan, wgpu::Backend::Metal, wgpu::Backend::Dx12];

impl Adapter {
    /// False for an adapter that computes on the CPU, such as lavapipe or SwiftShader.
    pub fn is_hardware(&self) -> bool {
        self.device_kind().is_some_and(|kind| !matches!(kind, DeviceKind::Cpu))
    }

    /// Name, API and, for an adapter without hardware, the word `software`: `llvmpipe (Vulkan, software)`.
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
    /// [`AdapterError::Start`] if the driver refuses; [`AdapterError::LaneTile`].
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

/// The adapters of the first API that has hardware, else of the first API that has any adapter; the preferred one first.
///
/// # Examples
/// ```
/// let adapters = pollster::block_on(ssft_kernels::adapters::adapters());
/// for adapter in &adapters {
///     assert!(adapter.describe().starts_with(&adapter.name));
///     assert_eq!(adapter.api, adapters[0].api);
/// }
/// ```
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

/// Rank of an adapter type, lower first. A discrete card has memory of its own, so it comes first.
fn preference(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Cpu => 3,
        wgpu::DeviceType::Other => 4,
    }
}
