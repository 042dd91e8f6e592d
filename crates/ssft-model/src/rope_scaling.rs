//! Methods that adapt the rotary embedding of a model to texts longer than those it was trained on.
//!
//! Every method changes the frequencies of [`crate::rotary`]; yarn also changes the magnitude of queries and keys. The
//! formulas are those of `modeling_rope_utils.py` in transformers. Reading and writing the settings is in
//! [`crate::directory`].

use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// A scaling method with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum RopeScaling {
    /// No scaling. Source: arXiv 2104.09864.
    #[default]
    Default,
    /// All frequencies divided by `factor`. Source: arXiv 2306.15595.
    Linear {
        /// Ratio of the new context to the original one.
        factor: f64,
    },
    /// A base that grows with texts beyond `max_position_embeddings` tokens. This crate does not run longer texts, so
    /// the frequencies are unscaled.
    Dynamic {
        /// Ratio of the new context to the original one.
        factor: f64,
    },
    /// Low frequencies divided, high ones kept, a ramp between. Source: arXiv 2309.00071.
    Yarn(Yarn),
    /// Low frequencies divided, high ones kept, a blend between. Source: Llama 3.1.
    Llama3(Llama3),
}

/// Numbers of [`RopeScaling::Yarn`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Yarn {
    /// Ratio of the new context to the original one.
    pub factor: f64,
    /// Factor of cosines and sines; `0.1 ln(factor) + 1`, the paper's value, if `None`.
    pub attention_factor: Option<f64>,
    /// Frequencies with at least this number of turns over the original context are kept.
    pub beta_fast: f64,
    /// Frequencies with at most this number of turns over the original context are divided.
    pub beta_slow: f64,
    /// Original context in tokens.
    pub original: usize,
    /// The ends of the ramp are rounded to whole pair numbers.
    pub truncate: bool,
}

/// Numbers of [`RopeScaling::Llama3`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Llama3 {
    /// Ratio of the new context to the original one.
    pub factor: f64,
    /// Frequencies with at most this number of turns over the original context are divided.
    pub low_freq_factor: f64,
    /// Frequencies with at least this number of turns over the original context are kept.
    pub high_freq_factor: f64,
    /// Original context in tokens.
    pub original: usize,
}

impl RopeScaling {
    /// Factor of cosines and sines.
    pub(crate) fn attention_factor(self) -> f64 {
        match self {
            Self::Yarn(yarn) => yarn.attention_factor.unwrap_or_else(|| yarn_magnitude(yarn.factor, 1.0)),
            _ => 1.0,
        }
    }

    /// Frequency of each pair of a head, in radians per token: `theta^(-2i / head_dim)`, scaled.
    pub(crate) fn frequencies(self, theta: f64, head_dim: usize) -> Vec<f64> {
        let plain = |pair: usize| theta.powf(-2.0 * pair as f64 / head_dim as f64);
        let scaled = |pair: usize| match self {
            Self::Default | Self::Dynamic { .. } => plain(pair),
            Self::Linear { factor } => plain(pair) / factor,
            Self::Llama3(llama) => llama.frequency(plain(pair)),
            Self::Yarn(yarn) => {
                let divided = yarn.divided_share(pair, theta, head_dim);
                plain(pair) / yarn.factor * divided + plain(pair) * (1.0 - divided)
            }
        };
        (0..head_dim / 2).map(scaled).collect()
    }
}

impl Llama3 {
    fn frequency(self, unscaled: f64) -> f64 {
        let turns = self.original as f64 * unscaled / TAU;
        let width = self.high_freq_factor - self.low_freq_factor;
        let kept = ((turns - self.low_freq_factor) / width).clamp(0.0, 1.0);
        (1.0 - kept) * unscaled / self.factor + kept * unscaled
    }
}

/// Width of the ramp if both ends coincide, as in transformers; avoids a division by 0.
const SMALLEST_RAMP: f64 = 0.001;

impl Yarn {
    /// Position of a pair on the ramp: 0 keeps its frequency, 1 divides it by `factor`.
    fn divided_share(self, pair: usize, theta: f64, head_dim: usize) -> f64 {
        let pair_of =
            |turns: f64| head_dim as f64 * (self.original as f64 / (turns * TAU)).ln() / (2.0 * theta.ln());
        let (low, high) = (pair_of(self.beta_fast), pair_of(self.beta_slow));
        let (low, high) = if self.truncate { (low.floor(), high.ceil()) } else { (low, high) };
        let (low, high) = (low.max(0.0), high.min(head_dim as f64 - 1.0));
        let width = if low == high { SMALLEST_RAMP } else { high - low };
        ((pair as f64 - low) / width).clamp(0.0, 1.0)
    }
}

/// Growth of cosines and sines for a context `factor` times as long: `0.1 scale ln(factor) + 1`.
pub(crate) fn yarn_magnitude(factor: f64, scale: f64) -> f64 {
    const SLOPE: f64 = 0.1;
    if factor <= 1.0 { 1.0 } else { SLOPE * scale * factor.ln() + 1.0 }
}
