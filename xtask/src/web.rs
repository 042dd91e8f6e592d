//! Build and tests of the page: the packed WebAssembly module and the page's files, for any static file server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use libdeflater::{CompressionLvl, Compressor};

use crate::apt;
use crate::process::{cache, cargo, command, loud, quiet, root, succeeds};
use crate::setup::{BROWSER, browser_target};
use crate::steps::Steps;

/// `cargo xtask web`; returns the directory of the page.
pub fn build(steps: &mut Steps) -> Result<PathBuf> {
    steps.run("browser target", browser_target)?;
    let bindgen =
        steps.run("wasm-bindgen", || tool("wasm-bindgen-cli", "wasm-bindgen", Some(&locked_bindgen()?)))?;
    steps.run("packages of the page", packages)?;
    steps.run("module", || module(&bindgen))?;
    let npm = |arguments: &[&str]| loud(npm().args(arguments));
    steps.run("page", || npm(&["run", "--silent", "build"]))?;
    Ok(root().join("web/dist"))
}

/// `cargo xtask web --serve`: builds the page and serves it until Ctrl-C.
pub fn serve(steps: &mut Steps) -> Result<()> {
    build(steps)?;
    println!("Ctrl-C stops the server");
    loud(npm().args(["run", "--silent", "serve"]))
}

/// npm in the directory of the page.
pub fn npm() -> Command {
    let mut npm = command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    npm.current_dir(root().join("web"));
    npm
}

fn packages() -> Result<()> {
    ensure!(succeeds(npm().arg("--version")), "npm is missing: install Node.js 20 or newer");
    let (lock, stamp) =
        (root().join("web/package-lock.json"), root().join("web/node_modules/.package-lock.json"));
    let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if time(&stamp).is_some_and(|installed| time(&lock).is_some_and(|wanted| installed >= wanted)) {
        return Ok(());
    }
    quiet(npm().args(["ci", "--no-audit", "--no-fund"])).map(drop)
}

/// Compiles the module, and writes the npm package with the packed module to web/pkg.
fn module(bindgen: &Path) -> Result<()> {
    let package = root().join("web/pkg");
    fs::create_dir_all(&package).with_context(|| package.display().to_string())?;
    for file in fs::read_dir(root().join("crates/ssft-web/package"))? {
        let file = file?;
        fs::copy(file.path(), package.join(file.file_name()))?;
    }
    loud(&mut cargo(&format!("build --profile web --target {BROWSER} --package ssft-web")))?;
    let built = target_directory()?.join(BROWSER).join("web/ssft_web.wasm");
    let packed = package.join("ssft_web.wasmz");
    let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    if time(&packed).is_some_and(|packed| time(&built).is_some_and(|built| packed > built)) {
        return Ok(());
    }
    let mut bindings = command(bindgen);
    bindings.args([
        "--target",
        "web",
        "--omit-default-module-path",
        "--remove-name-section",
        "--remove-producers-section",
    ]);
    quiet(bindings.arg("--out-dir").arg(&package).arg(&built))?;
    let plain = package.join("ssft_web_bg.wasm");
    pack(&plain, &packed)?;
    fs::remove_file(&plain).with_context(|| plain.display().to_string())
}

/// Largest size of the packed module, in bytes.
const MOST: usize = 3_500_000;

/// Packs the module as gzip, which the page unpacks: many file servers do not compress what they send.
fn pack(plain: &Path, packed: &Path) -> Result<()> {
    let bytes = fs::read(plain).with_context(|| plain.display().to_string())?;
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut small = vec![0; compressor.gzip_compress_bound(bytes.len())];
    let length = compressor.gzip_compress(&bytes, &mut small).context("gzip")?;
    println!("    module: {} bytes, packed {length}", bytes.len());
    ensure!(length <= MOST, "the packed module has {length} bytes, more than {MOST}");
    fs::write(packed, &small[..length]).with_context(|| packed.display().to_string())
}

/// Installs Chromium and its driver for the tests, if missing.
pub fn browser() -> Result<()> {
    let there = |program: &str| succeeds(command(program).arg("--version"));
    let missing: Vec<&str> = [("chromium", "chromium"), ("chromedriver", "chromium-driver")]
        .into_iter()
        .filter(|(program, _)| !there(program))
        .map(|(_, package)| package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let wanted = missing.join(" ");
    ensure!(apt::is_usable(), "install {wanted} (names of the Debian packages)");
    println!("    installing {wanted}");
    apt::install(&missing, None)
}

/// Tests of `ssft-web` in a browser, and of the built page.
pub fn test(steps: &mut Steps) -> Result<()> {
    steps.run("browser", browser)?;
    let pack = steps.run("wasm-pack", || tool("wasm-pack", "wasm-pack", None))?;
    build(steps)?;
    steps.run("tests in the browser", || {
        let mut tests = command(pack);
        tests.current_dir(root().join("crates/ssft-web"));
        tests.args(["test", "--headless", "--chrome", "--mode", "no-install"]);
        // A software adapter compiles the shaders for longer than the default limit of 20 s.
        tests.args([".", "--profile", "web", "--test", "browser"]).env("WASM_BINDGEN_TEST_TIMEOUT", "900");
        // wasm-pack searches the PATH for the runner of the tests, wasm-bindgen-test-runner.
        let own = std::iter::once(cache()?.join("tools/bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        let all = own.chain(std::env::split_paths(&path));
        loud(tests.env("PATH", std::env::join_paths(all).context("PATH")?))
    })?;
    steps.run("tests of the page", || loud(npm().args(["run", "--silent", "test"])))
}

/// Target directory of cargo, as the path of this executable shows it.
pub fn target_directory() -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let target = own.parent().and_then(Path::parent).context("xtask runs from a target directory")?;
    Ok(target.to_owned())
}

/// Version of wasm-bindgen in Cargo.lock; its command-line tool must have the same version.
pub fn locked_bindgen() -> Result<String> {
    let text = fs::read_to_string(root().join("Cargo.lock")).context("Cargo.lock")?;
    let lock: toml::Table = toml::from_str(&text).context("Cargo.lock")?;
    let packages =
        lock.get("package").and_then(|packages| packages.as_array()).context("Cargo.lock has no packages")?;
    let bindgen = packages.iter().find(|package| package["name"].as_str() == Some("wasm-bindgen"));
    let version = bindgen.and_then(|package| package["version"].as_str());
    Ok(version.context("wasm-bindgen is not in Cargo.lock")?.to_owned())
}

/// Path of a program from crates.io: that on the PATH if its version fits, else one that is installed in [`cache`].
pub fn tool(package: &str, program: &str, version: Option<&str>) -> Result<PathBuf> {
    let right = |path: &Path| {
        let said = command(path).arg("--version").output().ok();
        let said = said.filter(|output| output.status.success());
        let said = said.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        said.is_some_and(|said| {
            version.is_none_or(|version| said.split_whitespace().any(|word| word == version))
        })
    };
    let on_path = PathBuf::from(program);
    if right(&on_path) {
        return Ok(on_path);
    }
    let tools = cache()?.join("tools");
    let kept = tools.join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    if right(&kept) {
        return Ok(kept);
    }
    println!("    installing {package}");
    let mut install = cargo("install --quiet");
    install.arg(package).arg("--root").arg(&tools);
    // The default features download drivers of browsers, which are installed otherwise.
    if package == "wasm-bindgen-cli" {
        install.arg("--no-default-features");
    }
    if let Some(version) = version {
        install.args(["--version", version]);
    }
    loud(install.env("CARGO_TARGET_DIR", cache()?.join("tools-target")))?;
    if !right(&kept) {
        bail!("{} has another version than the {program} that was installed", kept.display());
    }
    Ok(kept)
}
