//! Package installation on Debian and distributions derived from it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::process::{command, quiet, succeeds};

/// Directory of apt's lists of package sources.
const SOURCES: &str = "/etc/apt/sources.list.d";

/// True if packages can be installed without a password.
pub fn is_usable() -> bool {
    succeeds(command("apt-get").arg("--version"))
        && (is_root() || succeeds(command("sudo").args(["-n", "true"])))
}

/// Name of the Debian release, as in `bookworm`. `None` on other systems, Ubuntu included: its backports differ from Debian's.
pub fn codename() -> Option<String> {
    let release = fs::read_to_string("/etc/os-release").ok()?;
    let field = |name: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"').to_owned())
    };
    field("VERSION_CODENAME").filter(|_| field("ID").as_deref() == Some("debian"))
}

/// Updates the lists of packages. Its failure is ignored, because a broken third-party source causes one too; a missing package
/// fails at its installation.
pub fn update() {
    let _ = quiet(as_root("apt-get").args(["update", "-qq"]));
}

pub fn install(packages: &[&str], suite: Option<&str>) -> Result<()> {
    update();
    let mut install = as_root("apt-get");
    install.args(["install", "-y", "-qq", "--no-install-recommends"]);
    if let Some(suite) = suite {
        install.args(["-t", suite]);
    }
    quiet(install.args(packages)).map(drop)
}

/// Adds the source of `suite`: a copy of the machine's entry of `release` with the suite replaced.
pub fn add_suite(release: &str, suite: &str) -> Result<()> {
    let entries = entries();
    if entries.iter().any(|(_, entry)| has_word(entry, suite)) {
        return Ok(());
    }
    let (extension, entry) = entries
        .iter()
        .find_map(|(extension, entry)| Some((extension, sibling(entry, release, suite)?)))
        .with_context(|| format!("no apt source of {release} to derive {suite} from"))?;
    write_as_root(&format!("{SOURCES}/ssft-wgpu-{suite}.{extension}"), &entry)
}

/// All entries, each with the extension of its file: stanzas of `.sources` files, lines of `.list` files.
fn entries() -> Vec<(&'static str, String)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(SOURCES).into_iter().flatten().flatten().map(|file| file.path()).collect();
    files.sort();
    files.push("/etc/apt/sources.list".into());
    files.iter().flat_map(|file| entries_of(file)).collect()
}

fn entries_of(file: &Path) -> Vec<(&'static str, String)> {
    let extension = match file.extension().and_then(|extension| extension.to_str()) {
        Some("sources") => "sources",
        Some("list") => "list",
        _ => return Vec::new(),
    };
    let text: String = fs::read_to_string(file)
        .unwrap_or_default()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    let separator = if extension == "list" { "\n" } else { "\n\n" };
    text.split(separator).map(|entry| (extension, format!("{}\n", entry.trim()))).collect()
}

/// The entry with its suites replaced by `suite`; `None` if `release` is not one of its suites.
fn sibling(entry: &str, release: &str, suite: &str) -> Option<String> {
    let line = entry.lines().find(|line| has_word(line, release))?;
    let changed = if line.starts_with("Suites:") {
        format!("Suites: {suite}")
    } else if line.starts_with("deb ") {
        line.replace(&format!(" {release} "), &format!(" {suite} "))
    } else {
        return None;
    };
    Some(entry.replace(line, &changed))
}

fn has_word(text: &str, word: &str) -> bool {
    text.split_whitespace().any(|other| other == word)
}

fn write_as_root(path: &str, text: &str) -> Result<()> {
    let mut tee = as_root("tee");
    let mut child = tee.arg(path).stdin(Stdio::piped()).stdout(Stdio::null()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes())?;
    }
    ensure!(child.wait()?.success(), "cannot write {path}");
    Ok(())
}

fn as_root(program: &str) -> Command {
    let mut command = if is_root() {
        command(program)
    } else {
        let mut sudo = command("sudo");
        sudo.args(["-n", "--preserve-env=DEBIAN_FRONTEND", program]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn is_root() -> bool {
    quiet(command("id").arg("-u")).is_ok_and(|user| user == "0")
}

#[cfg(test)]
mod tests {
    use super::sibling;

    const RELEASE: &str = "bookworm";
    const SUITE: &str = "bookworm-backports";

    #[test]
    fn stanza_keeps_everything_but_its_suites() {
        let entry = "Types: deb\nURIs: mirror\nSuites: bookworm bookworm-updates\n\
                     Components: main\nSigned-By: /usr/share/keyrings/key.gpg\n";
        let expected = entry.replace("bookworm bookworm-updates", SUITE);
        assert_eq!(sibling(entry, RELEASE, SUITE), Some(expected));
    }

    #[test]
    fn line_keeps_everything_but_its_suite() {
        let entry = "deb [signed-by=/usr/share/keyrings/key.gpg] mirror bookworm main contrib\n";
        let expected = entry.replace(" bookworm ", " bookworm-backports ");
        assert_eq!(sibling(entry, RELEASE, SUITE), Some(expected));
    }

    #[test]
    fn entries_of_other_suites_are_ignored() {
        for entry in [
            "Types: deb\nURIs: mirror\nSuites: bookworm-security\nComponents: main\n",
            "deb-src mirror bookworm main\n",
            "",
        ] {
            assert_eq!(sibling(entry, RELEASE, SUITE), None);
        }
    }
}
