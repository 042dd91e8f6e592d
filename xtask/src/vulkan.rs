//! An adapter for the GPU tests: the machine's own, or Mesa's software one (lavapipe).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::apt;
use crate::process::{command, quiet};

const PACKAGES: [&str; 2] = ["mesa-vulkan-drivers", "libvulkan1"];
const DRIVERS: [&str; 2] = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];

/// Makes sure that wgpu will find an adapter. macOS and Windows always have one.
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
    ensure!(lavapipe().is_some(), "mesa-vulkan-drivers came without lavapipe");
    Ok(())
}

/// The driver to name in `VK_DRIVER_FILES`: lavapipe, where there is nothing else to choose from.
/// Mesa ships drivers for hardware beside it, and the loader would open each of them in every test.
pub fn driver() -> Option<PathBuf> {
    if is_chosen_by_user() || has_own_adapter() {
        return None;
    }
    lavapipe()
}

fn is_chosen_by_user() -> bool {
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"].iter().any(|name| std::env::var_os(name).is_some())
}

/// A GPU's device node and some driver that may open it.
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

/// Debian 12's own Mesa 22.3 aborts ("LLVM ERROR: Do not know how to split the result of this
/// operator!"); 25.0 of its backports does not.
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
