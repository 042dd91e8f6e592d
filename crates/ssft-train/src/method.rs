//! The four arms: same data, same step, another tag in front of a trace.

use serde::{Deserialize, Serialize};

/// Which forking token stands in front of trace j.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// The first trace of each question, always `<think1>`.
    Sft,
    /// All traces, always `<think1>`: the arm that mixes the modes in one token.
    SftMixed,
    /// All traces, a fresh random injective assignment each step.
    SsftRandom,
    /// All traces, the optimal matching.
    Ssft,
}

impl Method {
    /// All arms, from the plainest to ours.
    pub const ALL: [Self; 4] = [Self::Sft, Self::SftMixed, Self::SsftRandom, Self::Ssft];

    /// The name used by `--method`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::SftMixed => "sft-mixed",
            Self::SsftRandom => "ssft-random",
            Self::Ssft => "ssft",
        }
    }

    /// How many of a question's `traces` the arm trains on.
    pub fn traces(self, traces: usize) -> usize {
        if self == Self::Sft { traces.min(1) } else { traces }
    }
}
