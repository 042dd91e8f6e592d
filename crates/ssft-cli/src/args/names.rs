//! Values that have names, as flags and as keys of a file.

use clap::ValueEnum;
use serde::Serialize;
use ssft_decode::format::AnswerFormat;
use ssft_model::config::Preset;

/// `--answers`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AnswersName {
    /// Behind the last `####`, character by character
    Exact,
    /// The number behind the last `####`, or the last number, by its value
    Numeric,
    /// In the last \boxed{..}; numbers and fractions by their value
    Boxed,
}

impl From<AnswersName> for AnswerFormat {
    fn from(name: AnswersName) -> Self {
        match name {
            AnswersName::Exact => Self::Exact,
            AnswersName::Numeric => Self::Numeric,
            AnswersName::Boxed => Self::Boxed,
        }
    }
}

/// `--preset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PresetName {
    /// 0.9 M parameters: minutes on a laptop CPU
    Tiny,
    /// 0.6 M parameters: small enough for a web page
    Demo,
    /// 14 M parameters
    Small,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Tiny => Self::Tiny,
            PresetName::Demo => Self::Demo,
            PresetName::Small => Self::Small,
        }
    }
}

/// `--method`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// The first trace of each question, always `<think1>`
    Sft,
    /// All traces, always `<think1>`
    SftMixed,
    /// All traces, a random injective assignment each step
    SsftRandom,
    /// All traces, the optimal matching
    Ssft,
}

/// `--matching`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchingName {
    /// From the whole matrix of costs
    Full,
    /// From as much of it as proves the optimum
    Lazy,
}

/// `--schedule`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleName {
    /// Half a cosine down to a tenth
    Cosine,
    /// A straight line down to a tenth
    Linear,
    /// No change
    Constant,
}
