//! What the kit found on a card, as a section of docs/benchmarks.md: what did not pass first, then ratios, the worst first.

mod tables;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde_json::Value;

use crate::process::root;

/// `gpu-report`.
#[derive(Args)]
pub struct GpuReport {
    /// The folder that `run.sh` filled
    results: PathBuf,
    /// The document whose section of this card is written or written again
    #[arg(long, default_value = "docs/benchmarks.md")]
    out: PathBuf,
}

/// What `run.sh` left.
struct Results {
    /// One object a part: name, status, seconds, limit.
    parts: Vec<Value>,
    /// The figures of a part by its name.
    figures: BTreeMap<String, Value>,
}

/// `cargo xtask gpu-report`.
pub fn run(report: &GpuReport) -> Result<()> {
    let results = Results::read(&report.results)?;
    let section = results.section()?;
    if !results.is_hardware() {
        println!("{section}");
        bail!("{} is software, and its times are not those of a card; nothing was written", results.card()?);
    }
    let path = root().join(&report.out);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    fs::write(&path, with_section(&text, &results.card()?, &section))
        .with_context(|| path.display().to_string())?;
    println!("{}: {}", path.display(), results.card()?);
    Ok(())
}

/// The section, whatever the adapter.
pub fn section(results: &Path) -> Result<String> {
    Results::read(results)?.section()
}

impl Results {
    fn read(folder: &Path) -> Result<Self> {
        let lines = |name: &str| -> Result<Vec<Value>> {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let line = |(at, line): (usize, &str)| {
                serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), at + 1))
            };
            text.lines().enumerate().map(line).collect()
        };
        let figures = lines("figures.jsonl")?.into_iter().map(|mut line| {
            let part = line["part"].as_str().context("figures of no part")?.to_owned();
            Ok((part, line["figures"].take()))
        });
        let results = Self { parts: lines("parts.jsonl")?, figures: figures.collect::<Result<_>>()? };
        ensure!(results.figures.contains_key("adapter"), "{}: no part found an adapter", folder.display());
        Ok(results)
    }

    /// The adapter that was measured.
    fn adapter(&self) -> &Value {
        &self.figures["adapter"]["adapters"][0]
    }

    fn is_hardware(&self) -> bool {
        self.adapter()["hardware"] == true
    }

    fn card(&self) -> Result<String> {
        Ok(self.adapter()["name"].as_str().context("an adapter without a name")?.to_owned())
    }

    /// The objects of a part that have a figure; none where it did not run.
    fn rows(&self, part: &str) -> Vec<&Value> {
        let rows = self.figures.get(part).and_then(|figures| figures["rows"].as_array());
        rows.into_iter().flatten().filter(|row| !row["median_ms"].is_null()).collect()
    }

    fn section(&self) -> Result<String> {
        let adapter = self.adapter();
        let origin = self.figures.values().find(|figures| figures["machine"].is_string());
        let said = |key: &str| origin.and_then(|origin| origin[key].as_str()).unwrap_or("unknown");
        let mut parts = vec![
            format!("## {}", self.card()?),
            format!(
                "{}, {}; {}; commit {}. `cargo xtask gpu-kit --out kit`, then `kit/run.sh results` on the machine with the \
                 card ([what it does](../tests/gpu-kit/README.md)). A ratio is ours over the other, so above 1 the other is \
                 faster.",
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

fn mark(card: &str) -> (String, String) {
    (format!("<!-- card: {card} -->"), format!("<!-- end of card: {card} -->"))
}

/// The document with `section` between the marks of `card`: in place of what stood there, or before its first section.
fn with_section(text: &str, card: &str, section: &str) -> String {
    let (start, end) = mark(card);
    let marked = format!("{start}\n\n{section}\n{end}");
    let old = text.split_once(&start).and_then(|(head, rest)| Some((head, rest.split_once(&end)?.1)));
    if let Some((head, tail)) = old {
        return format!("{head}{marked}{tail}");
    }
    match text.split_once("\n## ") {
        Some((head, tail)) => format!("{head}\n{marked}\n\n## {tail}"),
        None => format!("{text}\n{marked}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_comes_first_and_is_replaced_by_its_next() {
        let document = "# Measurements\n\nText.\n\n## Old\n\nFigures.\n";
        let once = with_section(document, "A", "## A\n\n1\n");
        let (a, end) = mark("A");
        assert_eq!(
            once,
            format!("# Measurements\n\nText.\n\n{a}\n\n## A\n\n1\n\n{end}\n\n## Old\n\nFigures.\n")
        );
        assert_eq!(with_section(&once, "A", "## A\n\n2\n"), once.replace('1', "2"));
        let both = with_section(&once, "B", "## B\n");
        assert!(both.find("## B") < both.find("## A") && both.contains("## Old"), "{both}");
    }
}
