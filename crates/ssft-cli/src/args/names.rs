//! Values that have names, as flags and as keys of a file.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use ssft_data::forks::ForkLead;
use ssft_decode::format::AnswerFormat;
use ssft_import::Layout;
use ssft_model::Precision;
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
    /// 0.2 M parameters: learns in a browser, on a phone
    Toy,
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
            PresetName::Toy => Self::Toy,
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

/// `--template`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateChoice {
    /// That of --model; else plain, or chatml if a question is a chat
    #[default]
    Auto,
    /// The question's text and nothing else
    Plain,
    /// ChatML: `<|im_start|>role`, content, `<|im_end|>`
    Chatml,
}

/// `--fork-lead`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeadChoice {
    /// That of --model if it has forks; else chat behind a template with `<|im_start|>`, and bare otherwise
    #[default]
    Auto,
    /// The paper's form: `<|im_start|><think1>` and a line end
    Chat,
    /// The forking token alone
    Bare,
}

impl LeadChoice {
    /// The text around a forking token; `chat` decides for [`LeadChoice::Auto`].
    pub fn lead(self, chat: bool) -> ForkLead {
        match self {
            Self::Auto if chat => ForkLead::chat(),
            Self::Chat => ForkLead::chat(),
            Self::Auto | Self::Bare => ForkLead::bare(),
        }
    }
}

/// `--dtype`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtypeChoice {
    /// That of --model; else f32
    #[default]
    Auto,
    /// 4 bytes a weight, as trained
    F32,
    /// 2 bytes a weight, up to 65504
    F16,
    /// 2 bytes a weight, the upper half of an f32
    Bf16,
}

impl DtypeChoice {
    /// The type to store, if the model came in `stored`.
    pub fn precision(self, stored: Precision) -> Precision {
        match self {
            Self::Auto => stored,
            Self::F32 => Precision::F32,
            Self::F16 => Precision::F16,
            Self::Bf16 => Precision::Bf16,
        }
    }
}

impl From<Precision> for DtypeChoice {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::F16 => Self::F16,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// `--layout`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LayoutName {
    /// s1K and s1K-1.1: a trajectory and an attempt a teacher
    S1k,
    /// OpenR1-Math: a list of generations, with lists of verdicts
    #[value(name = "openr1")]
    OpenR1,
    /// OpenThoughts: the same question in several rows
    #[value(name = "openthoughts")]
    OpenThoughts,
    /// `messages` or `conversations`: the last answer is the trace
    Chat,
}

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::S1k => Self::S1k,
            LayoutName::OpenR1 => Self::OpenR1,
            LayoutName::OpenThoughts => Self::OpenThoughts,
            LayoutName::Chat => Self::Chat,
        }
    }
}
