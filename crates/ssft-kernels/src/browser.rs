//! The one adapter that a browser lends.

#![allow(unsafe_code, reason = "there is no other way to call what the linker makes")]

use burn::tensor::Device;
use futures_util::future::{FutureExt, Shared};
use std::pin::Pin;
use std::sync::{Arc, Once};
use thiserror::Error;

unsafe extern "C" {
    /// Made by the linker: the constructors of static values.
    fn __wasm_call_ctors();
}

/// WebGPU as a device of burn.
#[derive(Debug, Clone)]
pub struct BrowserAdapter {
    /// The device, without autodiff.
    pub device: Device,
    /// What the browser tells about the hardware.
    pub name: String,
    /// It is a software adapter.
    pub is_software: bool,
    /// What it allows.
    pub limits: wgpu::Limits,
    /// The same device as wgpu knows it, for tests that lose it.
    pub handle: wgpu::Device,
}

/// No WebGPU to compute with.
#[derive(Debug, Clone, Error)]
pub enum BrowserError {
    /// The browser has none, or no adapter for it.
    #[error("this browser offers no WebGPU adapter")]
    None,
    /// The adapter does not start.
    #[error("the WebGPU adapter does not start: {what}")]
    Start {
        /// The browser's own words.
        what: String,
    },
}

type Started = Result<BrowserAdapter, BrowserError>;
type Starting = Pin<Box<dyn Future<Output = Started>>>;

thread_local! {
    /// A device starts once, whoever asks, and while it starts: CubeCL keeps it as long as the module lives.
    static STARTED: Shared<Starting> = {
        let starting: Starting = Box::pin(start());
        starting.shared()
    };
}

/// Runs the constructors, once: CubeCL's compiler registers its parts by them, and nothing else here has any. If nobody called
/// them by name, the linker would have every export of the module run all of them again, a millisecond a call.
fn construct() {
    static ONCE: Once = Once::new();
    // SAFETY: they take and return nothing, and `Once` keeps them from running twice.
    ONCE.call_once(|| unsafe { __wasm_call_ctors() });
}

/// True if the adapter that [`open`] would start is software.
///
/// # Errors
/// [`BrowserError::None`].
pub async fn is_software() -> Result<bool, BrowserError> {
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::BROWSER_WEBGPU,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..wgpu::RequestAdapterOptions::default()
    };
    let adapter = instance.request_adapter(&options).await.map_err(|_| BrowserError::None)?;
    Ok(adapter.get_info().device_type == wgpu::DeviceType::Cpu)
}

/// Starts the browser's adapter, or gives the one that was started before.
///
/// # Errors
/// [`BrowserError`].
pub async fn open() -> Result<BrowserAdapter, BrowserError> {
    STARTED.with(Clone::clone).await
}

async fn start() -> Started {
    // CubeCL would panic without an adapter.
    is_software().await?;
    construct();
    let started = Device::wgpu_options().init_with_setup_async().await;
    let (device, setup) = started.map_err(|error| BrowserError::Start { what: error.to_string() })?;
    // CubeCL panics at what a browser refuses outside of a call; logged, it ends a session and not the module.
    setup.device.on_uncaptured_error(Arc::new(|error| log::error!("WebGPU: {error}")));
    let info = setup.adapter.get_info();
    Ok(BrowserAdapter {
        device,
        name: info.name,
        is_software: info.device_type == wgpu::DeviceType::Cpu,
        limits: setup.device.limits(),
        handle: setup.device,
    })
}
