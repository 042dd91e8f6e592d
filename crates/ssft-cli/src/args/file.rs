//! `--config` of `eval` and `generate`: settings of a file, added to the command line as flags before it is parsed.

use crate::exit::Failure;
use ssft_run::store::config_file::read_table;
use std::ffi::OsString;
use std::path::PathBuf;
use toml::Value;

/// The words of a command line followed by the settings of its `--config FILE.toml` as flags. A setting is left out if the
/// command line gives it, or gives a flag that excludes it. Other commands are unchanged; `train` reads its file itself.
///
/// # Errors
/// [`Failure::Usage`] if the file cannot be read or has a key that is no flag of the command.
pub fn with_config(mut words: Vec<OsString>, program: &mut clap::Command) -> Result<Vec<OsString>, Failure> {
    program.build();
    let name = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    let command = match (name, program.find_subcommand(name)) {
        ("eval" | "generate", Some(command)) => command,
        _ => return Ok(words),
    };
    let Some(path) = config_file(&words) else { return Ok(words) };
    let flag = |key: &str| command.get_arguments().find(|arg| arg.get_long() == Some(key));
    let given: Vec<&clap::Arg> = (words.iter().filter_map(|word| word.to_str()?.strip_prefix("--")))
        .filter_map(|word| flag(word.split('=').next().unwrap_or(word)))
        .collect();
    let excludes = |one: &clap::Arg, other: &clap::Arg| {
        command.get_arg_conflicts_with(one).iter().any(|arg| arg.get_id() == other.get_id())
    };
    let mut more = Vec::new();
    for (key, value) in read_table(&path)? {
        let Some(arg) = flag(&key).filter(|_| !["config", "help", "version"].contains(&key.as_str())) else {
            return Err(Failure::Usage(format!(
                "{}: unknown key \"{key}\"; keys are the flags of `ssft-wgpu {name}` without the dashes",
                path.display()
            )));
        };
        let loses = given
            .iter()
            .any(|other| other.get_id() == arg.get_id() || excludes(arg, other) || excludes(other, arg));
        if !loses {
            let flags = flags(&key, &value);
            more.extend(flags.ok_or_else(|| {
                Failure::Usage(format!(
                    "{}: {key} = {value} cannot be used; give a text, a number, true or false",
                    path.display()
                ))
            })?);
        }
    }
    words.extend(more);
    Ok(words)
}

/// Path after the first `--config`; clap refuses a second one.
fn config_file(words: &[OsString]) -> Option<PathBuf> {
    words.iter().enumerate().find_map(|(at, word)| match word.to_str()?.strip_prefix("--config")? {
        "" => words.get(at + 1).map(PathBuf::from),
        joined => joined.strip_prefix('=').map(PathBuf::from),
    })
}

/// A setting as flags; `None` for a table, a date or a nested list.
fn flags(key: &str, value: &Value) -> Option<Vec<OsString>> {
    Some(match value {
        Value::Boolean(true) => vec![format!("--{key}").into()],
        Value::Boolean(false) => Vec::new(),
        Value::String(text) => vec![format!("--{key}={text}").into()],
        Value::Integer(_) | Value::Float(_) => vec![format!("--{key}={value}").into()],
        Value::Array(items) if !items.iter().any(Value::is_array) => {
            items.iter().map(|item| flags(key, item)).collect::<Option<Vec<_>>>()?.concat()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Cli;
    use clap::CommandFactory;

    fn expanded(file: &str, line: &str) -> Result<String, String> {
        let home = tempfile::tempdir().expect("temporary directory");
        let path = home.path().join("c.toml");
        std::fs::write(&path, file).expect("a file");
        let given = path.display().to_string();
        let words = line.replace("c.toml", &given).split(' ').map(OsString::from).collect();
        let words = with_config(words, &mut Cli::command())
            .map_err(|failure| failure.to_string().replace(&given, "c.toml"))?;
        let text: Vec<String> =
            words.iter().map(|word| word.to_string_lossy().replace(&given, "c.toml")).collect();
        Ok(text.join(" "))
    }

    #[test]
    fn a_file_gives_what_the_command_line_does_not() {
        let file = "samples = 8\ntemperature = 0.5\nk = [1, 6]\nquiet = true\nmodel = \"run\"";
        let line = "ssft-wgpu eval --config c.toml --samples=2";
        let words = expanded(file, line).expect("words");
        assert_eq!(words, format!("{line} --temperature=0.5 --k=1 --k=6 --quiet --model=run"));
        assert_eq!(expanded("quiet = false", line).expect("words"), line);
        // `--task` and `--data` exclude each other, although clap has the conflict at `--data` only.
        let line = "ssft-wgpu eval --config=c.toml --task maze";
        assert_eq!(expanded("data = \"d.jsonl\"", line).expect("words"), line);
        let line = "ssft-wgpu eval --data d.jsonl --config c.toml";
        assert_eq!(expanded("task = \"maze\"", line).expect("words"), line);
    }

    #[test]
    fn unknown_keys_and_tables_are_refused() {
        let line = "ssft-wgpu generate --config c.toml";
        let unknown = expanded("sampels = 8", line).expect_err("unknown");
        assert_eq!(
            unknown,
            "c.toml: unknown key \"sampels\"; keys are the flags of `ssft-wgpu generate` without the dashes"
        );
        let table = expanded("[stop]\na = 1", line).expect_err("a table");
        assert!(table.starts_with("c.toml: stop = ") && table.contains("cannot be used"), "{table}");
        let line = "ssft-wgpu train --config missing.toml";
        assert_eq!(expanded("", line).expect("unchanged"), line);
    }
}
