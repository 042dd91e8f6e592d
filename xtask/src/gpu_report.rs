//! Report of the kit's results on a card, as a section of docs/benchmarks.md: failures first, then ratios, the worst first.

mod markdown;
mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::document;
use crate::process::root;

/// Arguments of `gpu-report`.
#[derive(Args)]
pub struct GpuReport {
    /// Folders written by `run.sh`; if two have the same part, the later folder counts
    #[arg(required = true)]
    results: Vec<PathBuf>,
    /// Document whose section of this card is added or replaced
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
}

/// Results of `run.sh`.
#[derive(Default)]
struct Results {
    /// Status, duration and time limit in seconds of each part that has ended, by its name.
    parts: BTreeMap<String, Value>,
    /// Figures of each part, by its name.
    figures: BTreeMap<String, Value>,
}

/// Name of the last part that `run.sh` writes, which stands for the whole run.
const WHOLE_RUN: &str = "all";

/// `cargo xtask gpu-report`.
pub fn run(report: &GpuReport) -> Result<()> {
    let results = Results::read(&report.results)?;
    let section = results.section()?;
    let card = results.card()?;
    if !results.is_hardware() {
        println!("{section}");
        bail!("{card} is a software adapter, whose times are not those of a card; nothing was written");
    }
    let path = root().join(&report.out);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, with_section(&text, &card, &section)).with_context(|| path.display().to_string())?;
    println!("{}: {card}", path.display());
    Ok(())
}

/// Section of the adapter in the folder `results`, which may be a software adapter.
pub fn section(results: &Path) -> Result<String> {
    Results::read(&[results.to_owned()])?.section()
}

fn name_of(line: &Value) -> Result<String> {
    Ok(line["part"].as_str().context("a line has no \"part\"")?.to_owned())
}

/// Objects of a JSONL file; empty if there is no file. A last line without its line end is left out, as the run was cut off there.
fn lines(path: &Path) -> Result<Vec<Value>> {
    let text = match fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        read => read.with_context(|| path.display().to_string())?,
    };
    let (whole, cut) = text.rsplit_once('\n').unwrap_or(("", &text));
    if !cut.is_empty() {
        eprintln!("{}: the last line is incomplete and left out", path.display());
    }
    let line = |(at, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), at + 1))
    };
    whole.lines().enumerate().map(line).collect()
}

impl Results {
    fn read(folders: &[PathBuf]) -> Result<Self> {
        let mut results = Self::default();
        for folder in folders {
            for part in lines(&folder.join("parts.jsonl"))? {
                results.parts.insert(name_of(&part)?, part);
            }
            for mut line in lines(&folder.join("figures.jsonl"))? {
                let (part, figures) = (name_of(&line)?, line["figures"].take());
                let before = results.figures.insert(part.clone(), figures);
                let same = |before: Value| before["adapters"][0]["name"] == results.adapter()["name"];
                if part == "adapter" && !before.is_none_or(same) {
                    bail!(
                        "{}: of another card than the folders before it; report each card separately",
                        folder.display()
                    );
                }
            }
        }
        ensure!(results.figures.contains_key("adapter"), "no part found an adapter");
        Ok(results)
    }

    /// Description of the measured adapter.
    fn adapter(&self) -> &Value {
        &self.figures["adapter"]["adapters"][0]
    }

    fn is_hardware(&self) -> bool {
        self.adapter()["hardware"] == true
    }

    fn card(&self) -> Result<String> {
        Ok(self.adapter()["name"].as_str().context("an adapter without a name")?.to_owned())
    }

    /// Rows of a part's figures; empty if it did not run.
    fn rows(&self, part: &str) -> Vec<&Value> {
        let rows = self.figures.get(part).and_then(|figures| figures["rows"].as_array());
        rows.into_iter().flatten().collect()
    }

    fn section(&self) -> Result<String> {
        let adapter = self.adapter();
        let origin = self.figures.values().find(|figures| figures["machine"].is_string());
        let said = |key: &str| origin.and_then(|origin| origin[key].as_str()).unwrap_or("unknown");
        let mut parts = vec![
            format!("## {}", self.card()?),
            format!(
                "{}, {}; {}; commit {}. `cargo xtask gpu-kit --out kit`, then `kit/run.sh results` on the machine with the \
                 card ([what it does](../tests/gpu-kit/README.md)). A ratio is our time divided by the other: above 1 the other \
                 is faster.",
                adapter["api"].as_str().unwrap_or("unknown API"),
                adapter["driver"].as_str().unwrap_or("unknown driver"),
                said("machine"),
                said("commit"),
            ),
        ];
        parts.extend(tables::all(self));
        Ok(parts.join("\n\n") + "\n")
    }
}

fn marks(card: &str) -> [String; 2] {
    [format!("<!-- card: {card} -->"), format!("<!-- end of card: {card} -->")]
}

/// The document with `section` between the marks of `card`, which are added before the first section if missing.
fn with_section(text: &str, card: &str, section: &str) -> String {
    let [start, end] = &marks(card);
    document::between(text, [start, end], section).unwrap_or_else(|| {
        let marked = format!("{start}\n\n{}\n\n{end}", section.trim());
        match text.split_once("\n## ") {
            Some((head, tail)) => format!("{head}\n{marked}\n\n## {tail}"),
            None => format!("{text}\n{marked}\n"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_section_comes_first_and_an_old_one_is_replaced() {
        let document = "# Measurements\n\nText.\n\n## Old\n\nFigures.\n";
        let once = with_section(document, "A", "## A\n\n1\n");
        let [a, end] = marks("A");
        assert_eq!(
            once,
            format!("# Measurements\n\nText.\n\n{a}\n\n## A\n\n1\n\n{end}\n\n## Old\n\nFigures.\n")
        );
        assert_eq!(with_section(&once, "A", "## A\n\n2\n"), once.replace('1', "2"));
        let both = with_section(&once, "B", "## B\n");
        assert!(both.find("## B") < both.find("## A") && both.contains("## Old"), "{both}");
    }

    #[test]
    fn the_complete_lines_of_an_interrupted_run_are_read() {
        let folder = std::env::temp_dir().join(format!("gpu-report-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(
            folder.join("parts.jsonl"),
            "{\"part\":\"adapter\",\"status\":\"passed\"}\n{\"part\":\"ker",
        )
        .expect("a file");
        let adapter = r#"{"part":"adapter","figures":{"adapters":[{"name":"A","hardware":true}]}}"#;
        fs::write(folder.join("figures.jsonl"), format!("{adapter}\n")).expect("a file");
        let section = section(&folder).expect("a section");
        assert!(section.contains("## A") && section.contains("was cut off"), "{section}");
        let other = folder.join("other");
        fs::create_dir_all(&other).expect("a folder");
        fs::write(other.join("figures.jsonl"), format!("{}\n", adapter.replace("\"A\"", "\"B\"")))
            .expect("a file");
        let mixed = Results::read(&[folder.clone(), other]).err().expect("two cards").to_string();
        assert!(mixed.contains("of another card"), "{mixed}");
        fs::remove_file(folder.join("figures.jsonl")).expect("removed");
        let none = Results::read(std::slice::from_ref(&folder)).err().expect("no adapter").to_string();
        assert_eq!(none, "no part found an adapter");
        fs::remove_dir_all(&folder).expect("removed");
    }
}
