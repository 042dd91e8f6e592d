//! Tells the program which commit it is built on: `SSFT_COMMIT`, or `unknown` where there is no git.

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

/// False for a copy without history that lies in somebody else's repository.
fn is_ours() -> bool {
    // Cargo runs this in the directory of the package.
    let root = Path::new("../..").canonicalize();
    let top = git(&["rev-parse", "--show-toplevel"]).map(|top| Path::new(&top).canonicalize());
    matches!((root, top), (Ok(root), Some(Ok(top))) if root == top)
}

/// Builds again when another commit is checked out or made, and only then: a file that is not there would count as
/// changed always. In a fresh clone that is the branch's, until the first commit; the log of HEAD stands in for it.
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

/// What git has to say, if it succeeds and says something.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !said.is_empty()).then_some(said)
}
