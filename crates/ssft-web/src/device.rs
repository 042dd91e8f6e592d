//! Option `device`: starts the chosen device and tests it.

use crate::error::SessionError;
use crate::failures;
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use ssft_kernels::browser::{self, BrowserAdapter};
use ssft_kernels::self_test::self_test;
use ssft_run::check_binding;
use ssft_run::step_test::step_test;

/// Value of the option `device`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// A hardware GPU if there is one and it passes its tests, else the CPU.
    #[default]
    Auto,
    /// WebGPU; on a software adapter if there is no hardware adapter.
    Webgpu,
    /// The CPU, with SIMD.
    Cpu,
}

/// A tested device and its description.
#[derive(Debug, Clone, Serialize)]
pub struct Opened {
    /// The device, without autodiff.
    #[serde(skip)]
    pub device: Device,
    /// WebGPU adapter; `None` on the CPU.
    #[serde(skip)]
    pub adapter: Option<BrowserAdapter>,
    /// `webgpu` or `cpu`.
    pub kind: &'static str,
    /// Name to show to the user.
    pub name: String,
    /// Reason why `auto` uses the CPU.
    pub note: Option<String>,
}

impl Choice {
    /// Starts the chosen device and tests it.
    ///
    /// # Errors
    /// [`SessionError::Device`], [`SessionError::SelfTest`] or [`SessionError::Step`] for [`Choice::Webgpu`]. [`Choice::Auto`]
    /// uses the CPU instead, with the reason in [`Opened::note`].
    pub async fn open(self) -> Result<Opened, SessionError> {
        match self {
            Self::Cpu => cpu(None).await,
            Self::Webgpu => webgpu().await,
            Self::Auto => match browser::is_software().await {
                Ok(false) => match webgpu().await {
                    Ok(opened) => Ok(opened),
                    Err(error) => cpu(Some(because(&error))).await,
                },
                Ok(true) => {
                    let why = "its only WebGPU adapter is software, slower than the CPU itself";
                    cpu(Some(why.to_owned())).await
                }
                Err(error) => cpu(Some(error.to_string())).await,
            },
        }
    }
}

/// Message of an error and its causes, on one line.
fn because(error: &SessionError) -> String {
    let mut words = error.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        words += &format!(": {error}");
        cause = error.source();
    }
    words
}

async fn cpu(note: Option<String>) -> Result<Opened, SessionError> {
    let device = Device::flex();
    self_test(&device).await.map_err(SessionError::SelfTest)?;
    Ok(Opened { device, adapter: None, kind: "cpu", name: "CPU with SIMD, one thread".to_owned(), note })
}

async fn webgpu() -> Result<Opened, SessionError> {
    let adapter = browser::open().await.map_err(|error| SessionError::Device(Box::new(error)))?;
    self_test(&adapter.device).await.map_err(SessionError::SelfTest)?;
    step_test(&adapter.device).await.map_err(SessionError::Step)?;
    failures::check(true)?;
    let software = if adapter.is_software { " (software)" } else { "" };
    let name = match adapter.name.is_empty() {
        true => format!("WebGPU{software}"),
        false => format!("{}{software}", adapter.name),
    };
    Ok(Opened { device: adapter.device.clone(), adapter: Some(adapter), kind: "webgpu", name, note: None })
}

impl Opened {
    /// Refuses to continue after a failure that makes results of the device invalid.
    ///
    /// # Errors
    /// As [`failures::check`].
    pub fn check(&self) -> Result<(), SessionError> {
        failures::check(self.adapter.is_some())
    }
}

/// Refuses a model with a matrix larger than the adapter's largest storage buffer binding.
///
/// # Errors
/// [`SessionError::Device`].
pub fn check_fits(opened: &Opened, model: &ssft_model::DecoderConfig) -> Result<(), SessionError> {
    let Some(adapter) = &opened.adapter else { return Ok(()) };
    check_binding(model, adapter.limits.max_storage_buffer_binding_size)
        .map_err(|error| SessionError::Device(Box::new(error)))
}
