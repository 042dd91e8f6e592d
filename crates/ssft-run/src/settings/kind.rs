//! Values that a setting may have.

use serde_json::Value;
use std::fmt;
use std::path::{Path, PathBuf};

/// Type and range of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A file or a directory.
    Path,
    /// One of these names, each with its meaning.
    Choice(&'static [(&'static str, &'static str)]),
    /// An integer from `least` to `most`, both included.
    Count {
        /// Smallest value.
        least: u64,
        /// Largest value; `u64::MAX` for no limit.
        most: u64,
    },
    /// A finite number of 0 or more.
    NotNegative,
    /// A finite number above 0.
    Positive,
}

/// Largest vocabulary, context, batch or number of tokens that is accepted. Real ones are smaller; the limit catches typing
/// errors before they reserve all memory.
pub const MOST_TOKENS: usize = 1 << 20;

impl Kind {
    /// An integer of 1 or more.
    pub const fn from_one() -> Self {
        Self::Count { least: 1, most: u64::MAX }
    }

    /// An integer of 0 or more.
    pub const fn from_zero() -> Self {
        Self::Count { least: 0, most: u64::MAX }
    }

    /// An integer from 1 to [`MOST_TOKENS`].
    pub const fn size() -> Self {
        Self::Count { least: 1, most: MOST_TOKENS as u64 }
    }

    /// Reads a value as it stands on a command line.
    ///
    /// # Errors
    /// A few words on what is expected.
    ///
    /// ```
    /// use ssft_run::settings::Kind;
    /// assert_eq!(Kind::from_one().parse("12"), Ok(12.into()));
    /// assert_eq!(Kind::Positive.parse("x"), Err("give a number above 0".to_owned()));
    /// ```
    pub fn parse(self, text: &str) -> Result<Value, String> {
        let number = || text.parse::<f64>().ok().map(Value::from);
        let value = match self {
            // An unset variable of a shell must not stand for the current directory.
            Self::Path if text.is_empty() => None,
            Self::Text | Self::Path | Self::Choice(_) => Some(Value::from(text)),
            Self::Count { .. } => text.parse::<u64>().ok().map(Value::from),
            Self::NotNegative | Self::Positive => number().filter(|value| !value.is_null()),
        };
        value.ok_or_else(|| self.expected())
    }

    /// What is wrong with `number`, as in `is 0; give 1 or more`.
    pub fn problem(self, number: Number) -> Option<String> {
        let fits = match self {
            Self::Text | Self::Path | Self::Choice(_) => true,
            Self::Count { least, most } => number.integer().is_some_and(|n| (least..=most).contains(&n)),
            Self::NotNegative => number.float().is_finite() && number.float() >= 0.0,
            Self::Positive => number.float().is_finite() && number.float() > 0.0,
        };
        (!fits).then(|| format!("is {number}; {}", self.expected()))
    }

    fn expected(self) -> String {
        match self {
            Self::Text => "give a text".to_owned(),
            Self::Path => "give a path".to_owned(),
            Self::Choice(names) => {
                format!("give one of {}", names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
            }
            Self::Count { least, most: u64::MAX } => format!("give {least} or more"),
            Self::Count { least, most } => format!("give {least} to {most}"),
            Self::NotNegative => "give 0 or more".to_owned(),
            Self::Positive => "give a number above 0".to_owned(),
        }
    }
}

/// A number of a setting.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A count or a seed.
    Integer(u64),
    /// Any other number.
    Float(f64),
}

impl Number {
    /// The number in JSON, if the value is one.
    pub fn in_json(value: &Value) -> Option<Self> {
        value.as_u64().map(Self::Integer).or_else(|| value.as_f64().map(Self::Float))
    }

    fn integer(self) -> Option<u64> {
        match self {
            Self::Integer(number) => Some(number),
            Self::Float(_) => None,
        }
    }

    fn float(self) -> f64 {
        match self {
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

/// A setting's value as a number, if it is one: what [`Kind::problem`] takes.
pub(super) trait AsNumber {
    /// The number; nothing for texts, names and values that are not given.
    fn as_number(&self) -> Option<Number>;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl AsNumber for $type {
            fn as_number(&self) -> Option<Number> {
                Some(Number::Integer(*self as u64))
            }
        })+
    };
}

numbers!(u8, usize, u64);

impl AsNumber for f64 {
    fn as_number(&self) -> Option<Number> {
        Some(Number::Float(*self))
    }
}

macro_rules! no_numbers {
    ($($type:ty),+) => {
        $(impl AsNumber for $type {
            fn as_number(&self) -> Option<Number> {
                None
            }
        })+
    };
}

no_numbers!(
    String,
    Path,
    PathBuf,
    super::choices::TemplateChoice,
    super::choices::LeadChoice,
    super::choices::DtypeChoice,
    super::choices::DeviceChoice,
    ssft_decode::AnswerFormat,
    ssft_model::config::Preset,
    ssft_train::Method,
    ssft_train::Matching,
    ssft_train::schedule::Shape
);

impl<T: AsNumber> AsNumber for Option<T> {
    fn as_number(&self) -> Option<Number> {
        self.as_ref().and_then(T::as_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        for (kind, number, says) in [
            (Kind::from_one(), Number::Integer(0), "is 0; give 1 or more"),
            (Kind::size(), Number::Integer(2_000_000), "is 2000000; give 1 to 1048576"),
            (Kind::from_zero(), Number::Float(-1.0), "is -1; give 0 or more"),
            (Kind::Positive, Number::Float(f64::NAN), "is NaN; give a number above 0"),
            (Kind::NotNegative, Number::Float(-1.0), "is -1; give 0 or more"),
        ] {
            assert_eq!(kind.problem(number).as_deref(), Some(says));
        }
        assert_eq!(Kind::size().problem(Number::Integer(1)), None);
        let seed = Kind::Count { least: 0, most: i64::MAX as u64 };
        assert_eq!(seed.problem(Number::Integer(i64::MAX as u64)), None);
        let above = seed.problem(Number::Integer(i64::MAX as u64 + 1)).expect("out of range");
        assert!(above.starts_with("is 9223372036854775808; give 0 to "), "{above}");
    }
}
