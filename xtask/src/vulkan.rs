//! Vulkan adapter for the GPU tests: the machine's hardware, else Mesa's software adapter (lavapipe).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::apt;
use crate::process::{command, quiet};

/// Debian packages of lavapipe and the Vulkan loader.
const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
/// Directories of the manifests of Vulkan drivers.
const DRIVERS: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Installs lavapipe if wgpu would find no adapter. macOS and Windows always have one.
pub fn ensure() -> Result<()> {
    if !cfg!(target_os = "linux") || is_chosen_by_user() || has_own_adapter() {
        return Ok(());
    }
    let backports = apt::codename()
        .filter(|codename| codename == "bookworm")
        .map(|codename| format!("{codename}-backports"));
    if lavapipe().is_some() && !(backports.is_some() && is_unusable()) {
        return Ok(());
    }
    ensure!(
        apt::is_usable(),
        "install Mesa's lavapipe (Debian, Ubuntu, Fedora: mesa-vulkan-drivers; Arch: vulkan-swrast)"
    );
    if let Some(suite) = &backports {
        apt::add_suite("bookworm", suite)?;
    }
    apt::install(&PACKAGES, backports.as_deref())?;
    ensure!(lavapipe().is_some(), "mesa-vulkan-drivers was installed, but has no lavapipe");
    Ok(())
}

/// Value of `VK_DRIVER_FILES` for the tests: lavapipe on a machine without a GPU. Otherwise the loader would open Mesa's drivers
/// for hardware too, in every test.
pub fn driver() -> Option<PathBuf> {
    if is_chosen_by_user() || has_own_adapter() {
        return None;
    }
    lavapipe()
}

fn is_chosen_by_user() -> bool {
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some())
}

/// True if the machine has a device node of a GPU, and a driver other than lavapipe.
fn has_own_adapter() -> bool {
    let has_node = Path::new("/dev/nvidia0").exists()
        || names_in("/dev/dri").iter().any(|node| node.starts_with("renderD"));
    let has_driver = DRIVERS.iter().flat_map(names_in).any(|driver| !driver.starts_with("lvp_"));
    has_node && has_driver
}

fn lavapipe() -> Option<PathBuf> {
    DRIVERS.iter().find_map(|directory| {
        names_in(directory)
            .into_iter()
            .find(|name| name.starts_with("lvp_icd"))
            .map(|name| Path::new(directory).join(name))
    })
}

/// True for Mesa 22 of Debian 12, which aborts ("LLVM ERROR: Do not know how to split the result of this operator!"). Mesa 25.0
/// of its backports works.
fn is_unusable() -> bool {
    quiet(command("dpkg-query").args(["-W", "-f", "${Version}", PACKAGES[0]]))
        .is_ok_and(|version| version.starts_with("22."))
}

fn names_in(directory: impl AsRef<Path>) -> Vec<String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}
