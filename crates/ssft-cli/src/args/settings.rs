//! Settings of a run as flags: one flag for each row of the table in `ssft_run::settings`.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use ssft_run::settings::{
    EXCLUSIVE, FINE_TUNING_RATE, Kind, Questions, SETTINGS, Setting, Settings, default_match_tokens, setting,
};
use ssft_run::spelled;

/// Settings given on a command line, by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingFlags(pub Map<String, Value>);

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
        let flag = |setting: &Setting| flag(setting, shown(&defaults[setting.key]).as_deref());
        // A script may repeat a flag to override it. `--lr -1` is parsed as a value, so that the error names the range.
        let command = command.allow_negative_numbers(true).args_override_self(true);
        SETTINGS.iter().map(flag).fold(command, Command::arg)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = |key: &&str| matches.value_source(key) == Some(ValueSource::CommandLine);
        let keys = SETTINGS.iter().map(|setting| setting.key).filter(given);
        let value = |key: &str| Some((key.to_owned(), matches.get_one::<Value>(key)?.clone()));
        Ok(Self(keys.filter_map(value).collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// The flag of a setting; its help ends with `default`.
fn flag(setting: &Setting, default: Option<&str>) -> Arg {
    let default = default
        .map_or_else(String::new, |value| format!(" [default: {value}{}]", dependent_default(setting.key)));
    let help = format!("{}{default}", spelled(setting.help(), dashed));
    let others = EXCLUSIVE.iter().filter(|group| group.contains(&setting.key));
    let others = others.flatten().filter(|key| **key != setting.key);
    let arg = Arg::new(setting.key)
        .long(setting.key)
        .value_name(setting.placeholder)
        .help(help)
        .help_heading(setting.group.name())
        .conflicts_with_all(others);
    let kind = setting.kind;
    match kind {
        Kind::Choice(names) => arg.value_parser(possible(names).map(Value::from)),
        _ => arg.value_parser(move |text: &str| kind.parse(text)),
    }
}

/// Second default of a setting whose default depends on another flag, as in ", or 1e-5 for --model".
fn dependent_default(key: &str) -> String {
    match key {
        "context" => ", or the longest that --model accepts".to_owned(),
        "lr" => format!(", or {FINE_TUNING_RATE} for --model"),
        "match-tokens" => {
            format!(" for built-in tasks, {} for --data", default_match_tokens(Questions::Data))
        }
        _ => String::new(),
    }
}

fn shown(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn possible(names: &'static [(&'static str, &'static str)]) -> PossibleValuesParser {
    let value =
        |(name, help): &(&'static str, &'static str)| PossibleValue::new(*name).help(spelled(help, dashed));
    PossibleValuesParser::new(names.iter().map(value).collect::<Vec<_>>())
}

/// Parser of the names of the setting `key`, for the same flag of other commands.
///
/// # Panics
/// If the values of the setting `key` are not names.
pub fn choice<T: DeserializeOwned + Clone + Send + Sync + 'static>(
    key: &str,
) -> impl TypedValueParser<Value = T> {
    let Some(&Setting { kind: Kind::Choice(names), .. }) = setting(key) else {
        panic!("{key} is no setting whose values are names");
    };
    possible(names).try_map(|name| serde_json::from_value(Value::from(name)))
}

/// A setting's key as a flag.
pub fn dashed(key: &str) -> String {
    format!("--{key}")
}
