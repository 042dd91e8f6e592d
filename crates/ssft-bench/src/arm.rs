//! The training methods whose steps are compared.

use crate::error::BenchError;
use ssft_train::{Matching, Method};
use std::str::FromStr;

/// A training method together with the way it computes its matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arm {
    /// `sft`: the first trace of each question.
    Sft,
    /// `sft-mixed`: all traces, with the same fork.
    SftMixed,
    /// `ssft-random`: all traces, with forks assigned at random.
    SsftRandom,
    /// `ssft`, the optimal matching from the full cost matrix.
    SsftFull,
    /// `ssft`, the optimal matching from bounds on the costs.
    SsftLazy,
}

impl Arm {
    /// All arms, in the order of tables and files.
    pub const ALL: [Self; 5] = [Self::Sft, Self::SftMixed, Self::SsftRandom, Self::SsftFull, Self::SsftLazy];

    /// Name in tables and files: `ssft full`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sft => "sft",
            Self::SftMixed => "sft-mixed",
            Self::SsftRandom => "ssft-random",
            Self::SsftFull => "ssft full",
            Self::SsftLazy => "ssft lazy",
        }
    }

    /// Name in arguments, read by `parse`: `ssft-full`.
    pub fn key(self) -> &'static str {
        match self {
            Self::SsftFull => "ssft-full",
            Self::SsftLazy => "ssft-lazy",
            other => other.name(),
        }
    }

    /// What the arm trains on, for help texts.
    pub fn help(self) -> &'static str {
        match self {
            Self::Sft => "One trace a question",
            Self::SftMixed => "All traces, with the same fork",
            Self::SsftRandom => "A random assignment",
            Self::SsftFull => "The optimal matching, from the full cost matrix",
            Self::SsftLazy => "The optimal matching, from bounds on the costs",
        }
    }

    /// Settings of the trainer.
    pub(crate) fn method(self) -> (Method, Matching) {
        match self {
            Self::Sft => (Method::Sft, Matching::Full),
            Self::SftMixed => (Method::SftMixed, Matching::Full),
            Self::SsftRandom => (Method::SsftRandom, Matching::Full),
            Self::SsftFull => (Method::Ssft, Matching::Full),
            Self::SsftLazy => (Method::Ssft, Matching::Lazy),
        }
    }
}

impl FromStr for Arm {
    type Err = BenchError;

    fn from_str(key: &str) -> Result<Self, BenchError> {
        let found = Self::ALL.into_iter().find(|arm| arm.key() == key);
        found.ok_or_else(|| BenchError::Name { what: "arm", name: key.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        assert!(Arm::ALL.into_iter().all(|arm| arm.key().parse::<Arm>().is_ok_and(|read| read == arm)));
        let error = "ssft".parse::<Arm>().expect_err("no arm");
        assert_eq!(error.to_string(), "unknown arm \"ssft\"");
    }
}
