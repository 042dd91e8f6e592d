//! Kit for a graphics card: a folder with the program, its tests and a script that runs and measures them
//! (`tests/gpu-kit/README.md`).

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;

use crate::apt;
use crate::process::{cargo, command, loud, quiet, root, succeeds};
use crate::steps::Steps;

/// Largest size of the kit, in bytes: it is copied to a rented machine over a network.
const MOST: u64 = 40 << 20;
/// Tests that use an adapter, and the names of their binaries in the kit.
const TESTS: [(&str, &str); 3] =
    [("kernels", "test-kernels"), ("decoding", "test-decoding"), ("devices", "test-devices")];
/// Name of the program with autotune in the kit.
const WITH_AUTOTUNE: &str = "ssft-wgpu-autotune";
/// Directories of the repository that are copied into the kit, and their names there.
const FILES: [(&str, &str); 2] = [("tests/peers", "peers"), ("web/public/demo", "model")];
/// Debian packages of the Vulkan loader and of the libraries that NVIDIA's driver opens even without a display, for machines
/// without them.
const LOADER: [&str; 14] = [
    "libvulkan1",
    "libglvnd0",
    "libegl1",
    "libgl1",
    "libglx0",
    "libopengl0",
    "libgles2",
    "libx11-6",
    "libxext6",
    "libxcb1",
    "libxau6",
    "libxdmcp6",
    "libbsd0",
    "libmd0",
];
/// Directory of libraries in a Debian package.
const LIBRARIES: &str = "usr/lib/x86_64-linux-gnu";
/// Options of xz for a small archive: calls with absolute addresses, and a dictionary larger than all programs together. Five
/// programs with much code in common take 70 % of the bytes of `-9`.
const SMALLEST: &str = "--x86 --lzma2=preset=9,dict=256MiB";
/// True on the platform of the kit, x86-64 Linux.
const HAS_TARGET: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));
/// Directory of the kit that the test suite tries, in the target directory.
const SMALL_KIT: &str = "gpu-kit/small";

/// Arguments of `gpu-kit`.
#[derive(Args)]
pub struct GpuKit {
    /// Folder to write; it must not exist
    #[arg(long)]
    out: PathBuf,
    /// Leave out the second program, with CubeCL's autotune, which takes about five minutes to build
    #[arg(long)]
    without_autotune: bool,
}

/// `cargo xtask gpu-kit`.
pub fn run(steps: &mut Steps, kit: &GpuKit) -> Result<()> {
    let out = root().join(&kit.out);
    ensure!(HAS_TARGET, "the kit is for x86-64 Linux, and can only be built there");
    ensure!(!out.exists(), "{} exists; remove it or give another --out", out.display());
    let autotune = match kit.without_autotune {
        true => None,
        false => Some(steps.run("build with autotune", || program(Some("autotune")))?),
    };
    let bytes = pack(steps, &out, &Choice { autotune, loader: true, packing: SMALLEST })?;
    ensure!(bytes <= MOST, "{}: {bytes} bytes, more than {MOST}", out.display());
    println!("{}: {:.1} MiB", out.display(), bytes as f64 / f64::from(1 << 20));
    Ok(())
}

/// Test of the kit and of its report, at small shapes on the adapter of this machine.
pub fn check(steps: &mut Steps, environment: &[(&'static str, OsString)]) -> Result<()> {
    if !HAS_TARGET {
        println!("the kit for graphics cards is not tested: it is for x86-64 Linux");
        return Ok(());
    }
    let out = crate::web::target_directory()?.join(SMALL_KIT);
    let (kit, results) = (out.join("kit"), out.join("results"));
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| out.display().to_string())?;
    }
    pack(steps, &kit, &Choice { autotune: None, loader: false, packing: "-1 --threads=0" })?;
    steps.run("gpu kit, small", || {
        let mut run = command(kit.join("run.sh"));
        loud(run.arg("--small").arg(&results).envs(environment.iter().cloned()))
    })?;
    steps.run("gpu report", || crate::gpu_report::section(&results).map(|text| println!("{text}")))
}

/// Options of a kit.
struct Choice {
    /// Path of the program with autotune, if the kit has it.
    autotune: Option<PathBuf>,
    /// True if the kit has the Vulkan loader.
    loader: bool,
    /// Options of xz.
    packing: &'static str,
}

/// Builds the kit under another name, then renames it to `target`; returns its size in bytes.
fn pack(steps: &mut Steps, target: &Path, choice: &Choice) -> Result<u64> {
    let out = target.with_extension("unfinished");
    if out.exists() {
        fs::remove_dir_all(&out).with_context(|| out.display().to_string())?;
    }
    let content = out.join("content");
    fs::create_dir_all(content.join("bin")).with_context(|| out.display().to_string())?;
    let programs = steps.run("build", programs)?;
    let autotune = choice.autotune.clone().map(|path| (WITH_AUTOTUNE, path));
    for (name, built) in programs.into_iter().chain(autotune) {
        let target = content.join("bin").join(name);
        quiet(command("strip").arg("-o").arg(&target).arg(&built))?;
    }
    for (from, to) in FILES {
        copy(&root().join(from), &content.join(to))?;
    }
    if choice.loader {
        steps.run("vulkan loader", || loader(&content))?;
    }
    steps.run("pack", || {
        let mut tar = command("tar");
        tar.arg("--directory")
            .arg(&content)
            .args(["--exclude=__pycache__", "--create", "--xz", "--file"])
            .arg(out.join("kit.tar.xz"));
        quiet(tar.arg(".").env("XZ_OPT", choice.packing)).map(drop)
    })?;
    fs::remove_dir_all(&content).with_context(|| content.display().to_string())?;
    for name in ["run.sh", "README.md"] {
        copy(&root().join("tests/gpu-kit").join(name), &out.join(name))?;
    }
    let bytes = size(&out)?;
    fs::rename(&out, target).with_context(|| target.display().to_string())?;
    Ok(bytes)
}

/// Built program and tests, each with its name in the kit.
fn programs() -> Result<Vec<(&'static str, PathBuf)>> {
    let mut programs = vec![("ssft-wgpu", program(None)?)];
    let mut build = cargo("test --no-run --release --workspace --message-format json-render-diagnostics");
    let built = quiet(&mut build)?;
    for (test, name) in TESTS {
        let is_it = |line: &Value| {
            line["target"]["name"] == test
                && line["target"]["kind"][0] == "test"
                && line["executable"].is_string()
        };
        let found = built.lines().filter_map(|line| serde_json::from_str(line).ok()).find(is_it);
        let path = found.as_ref().and_then(|line| line["executable"].as_str());
        programs.push((name, path.with_context(|| format!("cargo built no test {test}"))?.into()));
    }
    Ok(programs)
}

/// Builds the program with a cargo `feature`, if given; returns the path of a copy, because the next build overwrites it.
fn program(feature: Option<&str>) -> Result<PathBuf> {
    let features = feature.into_iter().flat_map(|feature| ["--features", feature]);
    loud(cargo("build --release --package ssft-wgpu").args(features))?;
    let release = crate::web::target_directory()?.join("release");
    let (built, aside) =
        (release.join("ssft-wgpu"), release.join(format!("gpu-kit-{}", feature.unwrap_or("plain"))));
    fs::copy(&built, &aside).with_context(|| built.display().to_string())?;
    Ok(aside)
}

/// Unpacks the libraries of [`LOADER`] into `content/loader`.
fn loader(content: &Path) -> Result<()> {
    ensure!(
        apt::is_usable() && succeeds(command("dpkg-deb").arg("--version")),
        "the Vulkan loader is taken from Debian packages; build the kit on Debian or Ubuntu"
    );
    let (packages, unpacked) = (content.join("packages"), content.join("unpacked"));
    fs::create_dir_all(&packages).with_context(|| packages.display().to_string())?;
    apt::update();
    quiet(command("apt-get").arg("download").args(LOADER).current_dir(&packages))?;
    for package in fs::read_dir(&packages)? {
        quiet(command("dpkg-deb").arg("--extract").arg(package?.path()).arg(&unpacked))?;
    }
    let loader = content.join("loader");
    fs::rename(unpacked.join(LIBRARIES), &loader).with_context(|| loader.display().to_string())?;
    for left in [packages, unpacked] {
        fs::remove_dir_all(&left).with_context(|| left.display().to_string())?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
    }
    quiet(command("cp").arg("-r").arg(from).arg(to)).map(drop)
}

fn size(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { size(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
