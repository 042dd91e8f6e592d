//! Settings whose values are names and that no other crate defines.

use serde::{Deserialize, Serialize};
use ssft_data::forks::ForkLead;
use ssft_model::Precision;

/// `template`: how a question becomes a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TemplateChoice {
    /// The model's own template. Without one: plain for questions, ChatML for chats.
    #[default]
    Auto,
    /// The question's text alone.
    Plain,
    /// ChatML: `<|im_start|>role`, content, `<|im_end|>`.
    Chatml,
}

/// `fork-lead`: the text around a forking token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LeadChoice {
    /// The form in the model's `forks.json`. Without one: chat after a ChatML template, else bare.
    #[default]
    Auto,
    /// The paper's form: `<|im_start|><think1>` and a line end.
    Chat,
    /// The forking token alone.
    Bare,
}

/// Whether prompts are rendered with ChatML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptForm {
    /// Plain text.
    Plain,
    /// ChatML.
    Chatml,
}

impl LeadChoice {
    /// The text around a forking token; `prompts` decides for [`LeadChoice::Auto`].
    pub fn lead(self, prompts: PromptForm) -> ForkLead {
        match (self, prompts) {
            (Self::Chat, _) | (Self::Auto, PromptForm::Chatml) => ForkLead::chat(),
            (Self::Bare, _) | (Self::Auto, PromptForm::Plain) => ForkLead::bare(),
        }
    }
}

/// `dtype`: type of the numbers in the final model's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DtypeChoice {
    /// The type that the model was loaded from; f32 for a new model.
    #[default]
    Auto,
    /// 4 bytes a weight.
    F32,
    /// 2 bytes a weight, up to 65504.
    F16,
    /// 2 bytes a weight: the upper half of an f32.
    Bf16,
}

impl DtypeChoice {
    /// The type to write; `loaded` is the type that the model was loaded from.
    pub fn precision(self, loaded: Precision) -> Precision {
        match self {
            Self::Auto => loaded,
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

/// `device`: where to compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceChoice {
    /// A hardware GPU if there is one, else the CPU.
    #[default]
    Auto,
    /// The best adapter that wgpu lists, software adapters included.
    Wgpu,
    /// The CPU, all cores.
    Cpu,
}
