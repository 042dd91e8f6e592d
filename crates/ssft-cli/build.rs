//! Sets `SSFT_COMMIT` for the compiler: the commit of the sources, or `unknown` without git.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let commit = is_ours().then(|| git(&["rev-parse", "--short=12", "HEAD"])).flatten();
    println!("cargo::rustc-env=SSFT_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    if commit.is_some() {
        watch();
    }
}

/// False for a copy of the sources without history inside another repository, whose commit would be the wrong one.
fn is_ours() -> bool {
    // Cargo runs build scripts in the directory of the package.
    let root = Path::new("../..").canonicalize();
    let top = git(&["rev-parse", "--show-toplevel"]).map(|top| Path::new(&top).canonicalize());
    matches!((root, top), (Ok(root), Some(Ok(top))) if root == top)
}

/// Makes Cargo build again when another commit is checked out or made. Only existing files are listed, because Cargo treats a
/// missing one as always changed. A fresh clone has no file for its branch until the first commit; `logs/HEAD` covers that case.
fn watch() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD"].into_iter().chain(branch.as_deref()) {
        if let Some(path) = git(&["rev-parse", "--git-path", name])
            && Path::new(&path).exists()
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

/// Output of git; `None` if git fails or prints nothing.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
