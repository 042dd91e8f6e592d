//! Values that a setting may have.

use serde_json::Value;
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
            Self::Text | Self::Path | Self::Choice(_) => Some(Value::from(text)),
            Self::Count { .. } => text.parse::<u64>().ok().map(Value::from),
            Self::NotNegative | Self::Positive => number().filter(|value| !value.is_null()),
        };
        value.ok_or_else(|| self.expected())
    }

    /// What is wrong with `number`, as in `is 0; give 1 or more`.
    pub fn problem(self, number: f64) -> Option<String> {
        let fits = match self {
            Self::Text | Self::Path | Self::Choice(_) => true,
            Self::Count { least, most } => (least as f64..=most as f64).contains(&number),
            Self::NotNegative => number.is_finite() && number >= 0.0,
            Self::Positive => number.is_finite() && number > 0.0,
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

/// A setting's value as a number, if it is one: what [`Kind::problem`] takes.
pub(super) trait AsNumber {
    /// The number; nothing for texts, names and values that are not given.
    fn as_number(&self) -> Option<f64>;
}

macro_rules! numbers {
    ($($type:ty),+) => {
        $(impl AsNumber for $type {
            fn as_number(&self) -> Option<f64> {
                Some(*self as f64)
            }
        })+
    };
}

numbers!(u8, usize, u64, f64);

macro_rules! no_numbers {
    ($($type:ty),+) => {
        $(impl AsNumber for $type {
            fn as_number(&self) -> Option<f64> {
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
    fn as_number(&self) -> Option<f64> {
        self.as_ref().and_then(T::as_number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_are_named() {
        for (kind, number, says) in [
            (Kind::from_one(), 0.0, "is 0; give 1 or more"),
            (Kind::size(), 2e6, "is 2000000; give 1 to 1048576"),
            (Kind::Positive, f64::NAN, "is NaN; give a number above 0"),
            (Kind::NotNegative, -1.0, "is -1; give 0 or more"),
        ] {
            assert_eq!(kind.problem(number).as_deref(), Some(says));
        }
        assert_eq!(Kind::size().problem(1.0), None);
    }
}
