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
        /// Largest value; [`MOST_COUNT`] for no limit of its own.
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

/// Most questions of a split that are generated, for the same reason. They take about 20 GB.
pub const MOST_QUESTIONS: usize = 10_000_000;

/// Largest count: TOML, and with it config.toml, has no larger integers, and a browser's `usize` has 32 bits.
pub const MOST_COUNT: u64 = if usize::BITS < u64::BITS { usize::MAX as u64 } else { i64::MAX as u64 };

impl Kind {
    /// An integer of 1 or more.
    pub const fn from_one() -> Self {
        Self::Count { least: 1, most: MOST_COUNT }
    }

    /// An integer of 0 or more.
    pub const fn from_zero() -> Self {
        Self::Count { least: 0, most: MOST_COUNT }
    }

    /// Number of questions of a split, from `least` to [`MOST_QUESTIONS`].
    pub const fn questions(least: u64) -> Self {
        Self::Count { least, most: MOST_QUESTIONS as u64 }
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
    /// assert_eq!(Kind::from_one().parse("1e30"), Err("give 1 to 9223372036854775807".to_owned()));
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
        value.ok_or_else(|| self.expected(text.parse().ok()))
    }

    /// What is wrong with `number`, as in `is 0; give 1 or more`.
    pub fn problem(self, number: Number) -> Option<String> {
        let fits = match self {
            Self::Text | Self::Path | Self::Choice(_) => true,
            Self::Count { least, most } => number.integer().is_some_and(|n| (least..=most).contains(&n)),
            Self::NotNegative => number.float().is_finite() && number.float() >= 0.0,
            Self::Positive => number.float().is_finite() && number.float() > 0.0,
        };
        (!fits).then(|| format!("is {number}; {}", self.expected(Some(number.float()))))
    }

    /// What to give instead of `given`, if that is a number.
    fn expected(self, given: Option<f64>) -> String {
        let is_huge = given.is_some_and(|given| given >= MOST_COUNT as f64);
        match self {
            Self::Text => "give a text".to_owned(),
            Self::Path => "give a path".to_owned(),
            Self::Choice(names) => {
                format!("give one of {}", names.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", "))
            }
            Self::Count { least, most: MOST_COUNT } if !is_huge => format!("give {least} or more"),
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
            (Kind::from_one(), Number::Float(1.5), "is 1.5; give 1 or more"),
            (
                Kind::from_one(),
                Number::Integer(1 << 63),
                "is 9223372036854775808; give 1 to 9223372036854775807",
            ),
            (
                Kind::from_zero(),
                Number::Float(1e20),
                "is 100000000000000000000; give 0 to 9223372036854775807",
            ),
            (Kind::size(), Number::Integer(2_000_000), "is 2000000; give 1 to 1048576"),
            (Kind::from_zero(), Number::Float(-1.0), "is -1; give 0 or more"),
            (Kind::Positive, Number::Float(f64::NAN), "is NaN; give a number above 0"),
            (Kind::NotNegative, Number::Float(-1.0), "is -1; give 0 or more"),
        ] {
            assert_eq!(kind.problem(number).as_deref(), Some(says));
        }
        assert_eq!(Kind::size().problem(Number::Integer(1)), None);
        assert_eq!(Kind::from_zero().problem(Number::Integer(i64::MAX as u64)), None);
    }
}
