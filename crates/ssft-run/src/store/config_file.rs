//! Settings as TOML: a user's configuration file, and `config.toml` of a run.

use crate::error::RunError;
use crate::settings::{Layers, MOST_COUNT, Origin, Settings};
use serde_json::{Map, Value};
use ssft_data::words::one_line;
use std::fmt::Write as _;
use std::num::IntErrorKind;
use std::path::Path;
use toml::Table;

/// First line of every `config.toml`.
const HEADER: &str = "# Every setting of this run. Repeat it with: ssft-wgpu train --config config.toml\n";
/// Column at which a line's origin begins.
const ORIGIN_COLUMN: usize = 40;

/// The table in a TOML file.
///
/// # Errors
/// [`RunError::State`] if it cannot be read or is not TOML.
pub fn read_table(path: &Path) -> Result<Table, RunError> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        RunError::state(format!("{name}: cannot be read ({error}); check the path and its permissions"))
    })?;
    text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        let written = text.lines().nth(line).unwrap_or_default();
        let what = match is_huge(written) {
            true => {
                format!("{} is beyond the integers of TOML; give at most {MOST_COUNT}", one_line(written))
            }
            false => {
                format!("not valid TOML ({}); write lines like `steps = 500`", one_line(error.message()))
            }
        };
        RunError::state(format!("{name}:{}: {what}", line + 1))
    })
}

/// Whether the value of `line` is an integer that TOML cannot hold.
fn is_huge(line: &str) -> bool {
    let value = line.split(['=', '#']).nth(1).unwrap_or_default().trim().replace('_', "");
    value.parse::<i64>().is_err_and(|error| *error.kind() == IntErrorKind::PosOverflow)
}

/// The settings in a TOML file.
///
/// # Errors
/// [`RunError::State`] if it cannot be read or has a value that no setting can have.
pub fn read_layer(path: &Path) -> Result<Map<String, Value>, RunError> {
    read_table(path)?.into_iter().map(|(key, value)| Ok((key.clone(), json(path, &key, value)?))).collect()
}

/// A setting's value in JSON, which has no infinite numbers and no dates.
fn json(path: &Path, key: &str, value: toml::Value) -> Result<Value, RunError> {
    let refused = |value: &toml::Value| {
        RunError::state(format!(
            "{}: {key} = {value} cannot be used; give a text or a number",
            path.display()
        ))
    };
    match value {
        toml::Value::String(text) => Ok(text.into()),
        toml::Value::Integer(number) => Ok(number.into()),
        toml::Value::Boolean(flag) => Ok(flag.into()),
        toml::Value::Float(number) if number.is_finite() => Ok(number.into()),
        other => Err(refused(&other)),
    }
}

/// Merges defaults, the file at `file` and the layer of a command line.
///
/// # Errors
/// [`RunError`] names the file, the setting and what is wrong.
pub fn resolve(file: Option<&Path>, flags: Map<String, Value>) -> Result<(Settings, Layers), RunError> {
    let mut layers = Layers::new(&Settings::default());
    if let Some(path) = file {
        let in_file = |error: RunError| match error {
            RunError::Setting { key, problem } => {
                RunError::state(format!("{}: {key} {problem}", path.display()))
            }
            RunError::Unknown { key } => RunError::state(format!(
                "{}: unknown key \"{key}\"; keys are the flags of `ssft-wgpu train` without the dashes",
                path.display()
            )),
            RunError::Settings { what } => RunError::state(format!("{}: {what}", path.display())),
            other => other,
        };
        layers.add(read_layer(path)?, Origin::File).map_err(in_file)?;
    }
    layers.add(flags, Origin::Flag)?;
    let settings = layers.settings()?;
    if let Some(day) = &settings.date {
        crate::day::parse(day)?;
    }
    Ok((settings, layers))
}

/// The settings of the run whose `config.toml` is at `path`.
///
/// # Errors
/// As [`resolve`].
pub fn read_settings(path: &Path) -> Result<Settings, RunError> {
    Ok(resolve(Some(path), Map::new())?.0)
}

/// The text of `config.toml`: TOML that can be given as a configuration file, with the origin of each value beside it.
///
/// # Errors
/// [`RunError::Settings`] for a value that TOML cannot hold.
pub fn to_toml(settings: &Settings, layers: &Layers) -> Result<String, RunError> {
    let table = Table::try_from(settings).map_err(|error| RunError::Settings { what: error.to_string() })?;
    let mut text = String::from(HEADER);
    for (key, value) in &table {
        let origin = match layers.origin(key) {
            Origin::Default => "default",
            Origin::File => "file",
            Origin::Flag => "flag",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<ORIGIN_COLUMN$} # {origin}", format!("{key} = {value}"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Kind, SETTINGS};
    use serde_json::json;

    fn file(text: &str) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), text).expect("write");
        file
    }

    #[test]
    fn what_is_written_reads_back() {
        let flags = json!({"steps": 3, "seed": u32::MAX}).as_object().expect("an object").clone();
        let (settings, layers) = resolve(None, flags).expect("resolves");
        let text = to_toml(&settings, &layers).expect("TOML");
        assert!(text.contains("# flag"), "{text}");
        assert_eq!(read_settings(file(&text).path()).expect("reads back"), settings);
    }

    #[test]
    fn every_count_that_is_accepted_can_be_written() {
        for setting in SETTINGS {
            let Kind::Count { most, .. } = setting.kind else { continue };
            // Two counts have a limit of their product.
            let other = if setting.key == "accumulate" { "batch-questions" } else { "accumulate" };
            let with = |value: u64| {
                let flags =
                    [(other, 1), (setting.key, value)].map(|(key, value)| (key.to_owned(), value.into()));
                resolve(None, Map::from_iter(flags))
            };
            let (settings, layers) = with(most).expect(setting.key);
            let text = to_toml(&settings, &layers).expect(setting.key);
            assert_eq!(read_settings(file(&text).path()).expect("reads back"), settings);
            let refused = with(most + 1).expect_err(setting.key).to_string();
            assert!(refused.starts_with(&format!("`{}` is {}; give ", setting.key, most + 1)), "{refused}");
            assert!(refused.ends_with(&format!(" to {most}")), "{refused}");
        }
    }

    /// serde_json parses floats inexactly unless told otherwise (its feature `float_roundtrip`).
    #[test]
    fn numbers_read_back_bit_for_bit() {
        for lr in [0.004, 3.959_579_944_610_596, 1e-5, 0.1 + 0.2, f64::MIN_POSITIVE] {
            let flags = json!({ "lr": lr }).as_object().expect("an object").clone();
            let (settings, layers) = resolve(None, flags).expect("resolves");
            let again = read_settings(file(&to_toml(&settings, &layers).expect("TOML")).path());
            assert_eq!(again.expect("reads back").lr.to_bits(), lr.to_bits());
        }
    }

    #[test]
    fn bad_files_are_named() {
        for (text, says) in [
            (
                "stepz = 1",
                "unknown key \"stepz\"; keys are the flags of `ssft-wgpu train` without the dashes",
            ),
            (
                "steps = \"many\"",
                "steps = \"many\" cannot be used (invalid type: string \"many\", expected usize)",
            ),
            ("lr = nan", "lr = nan cannot be used; give a text or a number"),
            (
                "method = \"ppo\"",
                "method = \"ppo\" cannot be used (unknown variant `ppo`, expected one of `sft`, `sft-mixed`, `ssft-random`, `ssft`)",
            ),
        ] {
            let file = file(text);
            let error = read_settings(file.path()).expect_err(text).to_string();
            assert_eq!(error, format!("{}: {says}", file.path().display()));
        }
        let broken = file("steps = 1\nlr = = 2");
        let error = read_settings(broken.path()).expect_err("not TOML").to_string();
        assert!(error.contains(":2: not valid TOML ("), "{error}");
        for huge in ["9223372036854775808", "18_446_744_073_709_551_616", &"9".repeat(60)] {
            let file = file(&format!("lr = 1\nsteps = {huge} # all\n"));
            let error = read_settings(file.path()).expect_err("no integer of TOML").to_string();
            let says = format!(
                ":2: steps = {huge} # all is beyond the integers of TOML; give at most 9223372036854775807"
            );
            assert!(error.ends_with(&says), "{error}");
        }
    }
}
