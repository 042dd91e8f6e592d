//! How a model that learned short texts turns its heads over long ones.
//!
//! Every method changes the frequencies of [`crate::rotary`], some also the size of what is turned. The formulas are those of
//! transformers' `modeling_rope_utils.py`, so that what was trained with one means the same here.

use crate::checkpoint::CheckpointError;
use crate::config::{Fields, bad};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::f64::consts::TAU;

/// A method by name, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum RopeScaling {
    /// The frequencies as they are. Source: arXiv 2104.09864.
    #[default]
    Default,
    /// All frequencies divided by `factor`. Source: arXiv 2306.15595.
    Linear {
        /// How much longer texts may be.
        factor: f64,
    },
    /// A base that grows with a text beyond `max_position_embeddings` tokens. No row here is longer, so nothing changes.
    Dynamic {
        /// How much longer texts may be.
        factor: f64,
    },
    /// Low frequencies divided, high ones kept, a ramp between; everything turned is a little larger. Source: arXiv 2309.00071.
    Yarn {
        /// How much longer texts may be.
        factor: f64,
        /// What cosines and sines are multiplied by; the paper's `0.1 ln(factor) + 1` if none is given.
        attention_factor: Option<f64>,
        /// Turns over the original context from which on a frequency is kept.
        beta_fast: f64,
        /// Turns over the original context up to which a frequency is divided.
        beta_slow: f64,
        /// Tokens of the original context.
        original: usize,
        /// Ends of the ramp are whole numbers.
        truncate: bool,
    },
    /// Long waves divided, short ones kept, a blend between. Source: Llama 3.1.
    Llama3 {
        /// How much longer texts may be.
        factor: f64,
        /// Waves longer than the original context over this are divided.
        low_freq_factor: f64,
        /// Waves shorter than the original context over this are kept.
        high_freq_factor: f64,
        /// Tokens of the original context.
        original: usize,
    },
}

impl RopeScaling {
    /// Reads the settings of the rotary embedding of a `config.json`; none means [`RopeScaling::Default`].
    ///
    /// # Errors
    /// [`CheckpointError::Config`] for a method that is not here, or a number that is missing or of no use.
    pub(crate) fn from_config(config: &Fields<'_>) -> Result<Self, CheckpointError> {
        let whole =
            |fields: &Fields<'_>, place: &str| match fields.positive_or("partial_rotary_factor", 1.0)? {
                1.0 => Ok(()),
                _ => Err(bad(&format!("{place}a partial_rotary_factor is not supported"))),
            };
        whole(config, "")?;
        let Some((key, rope)) = config.rope()? else { return Ok(Self::Default) };
        whole(&rope, &format!("{key}: "))?;
        let kind = rope.optional_text("rope_type")?.or(rope.optional_text("type")?).unwrap_or("default");
        let original = || match rope.optional_size("original_max_position_embeddings")? {
            Some(original) => Ok(original),
            None => match config.optional_size("original_max_position_embeddings")? {
                Some(original) => Ok(original),
                None => config.size("max_position_embeddings"),
            },
        };
        Ok(match kind {
            "default" => Self::Default,
            "linear" => Self::Linear { factor: rope.positive("factor")? },
            "dynamic" => Self::Dynamic { factor: rope.positive("factor")? },
            "yarn" => Self::Yarn {
                factor: rope.positive("factor")?,
                attention_factor: rope.yarn_attention_factor()?,
                beta_fast: rope.positive_or("beta_fast", 32.0)?,
                beta_slow: rope.positive_or("beta_slow", 1.0)?,
                original: original()?,
                truncate: rope.flag_or("truncate", true)?,
            },
            "llama3" => Self::Llama3 {
                factor: rope.positive("factor")?,
                low_freq_factor: rope.positive("low_freq_factor")?,
                high_freq_factor: rope.positive("high_freq_factor")?,
                original: original()?,
            },
            other => {
                return Err(bad(&format!(
                    "{key} of type \"{other}\" is not supported, only default, linear, dynamic, yarn and llama3"
                )));
            }
        })
    }

    /// As `rope_parameters` of a `config.json`, with the base beside it.
    pub(crate) fn to_json(self, theta: f64) -> Value {
        let mut rope = match self {
            Self::Default => json!({"rope_type": "default"}),
            Self::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
            Self::Dynamic { factor } => json!({"rope_type": "dynamic", "factor": factor}),
            Self::Yarn { factor, attention_factor, beta_fast, beta_slow, original, truncate } => json!({
                "rope_type": "yarn", "factor": factor, "attention_factor": attention_factor, "beta_fast": beta_fast,
                "beta_slow": beta_slow, "original_max_position_embeddings": original, "truncate": truncate,
            }),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original } => json!({
                "rope_type": "llama3", "factor": factor, "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor, "original_max_position_embeddings": original,
            }),
        };
        rope["rope_theta"] = json!(theta);
        rope
    }

    /// What cosines and sines are multiplied by.
    pub(crate) fn attention_factor(self) -> f64 {
        match self {
            Self::Yarn { factor, attention_factor, .. } => {
                attention_factor.unwrap_or_else(|| magnitude(factor, 1.0))
            }
            _ => 1.0,
        }
    }

    /// Radians a token for each pair of a head: `theta^(-2i / head_dim)`, scaled.
    pub(crate) fn frequencies(self, theta: f64, head_dim: usize) -> Vec<f64> {
        let plain = |pair: usize| theta.powf(-2.0 * pair as f64 / head_dim as f64);
        let scaled = |pair: usize| match self {
            Self::Default | Self::Dynamic { .. } => plain(pair),
            Self::Linear { factor } => plain(pair) / factor,
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original } => {
                let frequency = plain(pair);
                // Waves in the original context; above the high factor kept, below the low one divided.
                let waves = original as f64 * frequency / TAU;
                let kept = ((waves - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                (1.0 - kept) * frequency / factor + kept * frequency
            }
            Self::Yarn { factor, beta_fast, beta_slow, original, truncate, .. } => {
                let pair_of = |turns: f64| {
                    head_dim as f64 * (original as f64 / (turns * TAU)).ln() / (2.0 * theta.ln())
                };
                let (low, high) = (pair_of(beta_fast), pair_of(beta_slow));
                let (low, high) = if truncate { (low.floor(), high.ceil()) } else { (low, high) };
                let (low, high) = (low.max(0.0), high.min(head_dim as f64 - 1.0));
                let width = if low == high { 0.001 } else { high - low };
                let divided = ((pair as f64 - low) / width).clamp(0.0, 1.0);
                plain(pair) / factor * divided + plain(pair) * (1.0 - divided)
            }
        };
        (0..head_dim / 2).map(scaled).collect()
    }
}

/// By how much what is turned must grow when texts grow `factor` times.
fn magnitude(factor: f64, scale: f64) -> f64 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

impl Fields<'_> {
    /// What is said outright, or follows from the two magnitudes of later models.
    fn yarn_attention_factor(&self) -> Result<Option<f64>, CheckpointError> {
        if let Some(given) = self.optional_number("attention_factor")? {
            return Ok(Some(given));
        }
        let scales = (self.optional_number("mscale")?, self.optional_number("mscale_all_dim")?);
        let (Some(over), Some(under)) = scales else { return Ok(None) };
        if over == 0.0 || under == 0.0 {
            return Ok(None);
        }
        let factor = self.positive("factor")?;
        Ok(Some(magnitude(factor, over) / magnitude(factor, under)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DecoderConfig, Preset};
    use crate::precision::Precision;

    fn read(rope: Value) -> Result<RopeScaling, String> {
        let config = json!({"max_position_embeddings": 256, "rope_parameters": rope});
        let map = config.as_object().expect("an object");
        RopeScaling::from_config(&Fields::of(map)).map_err(|error| error.to_string())
    }

    /// Computed with `ROPE_INIT_FUNCTIONS` of transformers 5.23: heads of 16, theta 10000, 256 positions. It computes in f32, and
    /// the ramp of yarn takes differences of numbers that are near each other.
    #[test]
    fn frequencies_are_those_of_transformers() {
        let cases: [(Value, [f64; 8], f64); 5] = [
            (
                json!({"rope_type": "linear", "factor": 4}),
                [0.25, 0.07905694, 0.025, 0.007905695, 0.0025, 0.0007905695, 0.00025, 7.905695e-05],
                1.0,
            ),
            (
                json!({"type": "dynamic", "factor": 4}),
                [1.0, 0.3162278, 0.1, 0.03162278, 0.01, 0.003162278, 0.001, 0.0003162278],
                1.0,
            ),
            (
                json!({"rope_type": "yarn", "factor": 4, "original_max_position_embeddings": 64}),
                [1.0, 0.2371708, 0.05, 0.007905695, 0.0025, 0.0007905695, 0.00025, 7.905695e-05],
                1.138629436111989,
            ),
            (
                json!({"rope_type": "yarn", "factor": 40, "original_max_position_embeddings": 64, "mscale": 1.0,
                       "mscale_all_dim": 0.8, "truncate": false, "beta_fast": 16}),
                [1.0, 0.1632903, 0.003273824, 0.0007905695, 0.00025, 7.905695e-05, 2.5e-05, 7.905694e-06],
                1.0569662567531275,
            ),
            (
                json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4,
                       "original_max_position_embeddings": 64}),
                [1.0, 0.2443846, 0.01304226, 0.003952847, 0.00125, 0.0003952847, 0.000125, 3.952847e-05],
                1.0,
            ),
        ];
        for (rope, frequencies, size) in cases {
            let scaling = read(rope.clone()).expect("is read");
            for (ours, theirs) in scaling.frequencies(10_000.0, 16).iter().zip(frequencies) {
                assert!((ours / theirs - 1.0).abs() < 3e-6, "{rope}: {ours} {theirs}");
            }
            assert!((scaling.attention_factor() - size).abs() < 1e-12, "{rope}");
            assert_eq!(read(scaling.to_json(10_000.0)).expect("reads back"), scaling);
        }
        assert_eq!(read(Value::Null), Ok(RopeScaling::Default));
    }

    /// `AutoConfig` of transformers 5.23 makes the same of these.
    #[test]
    fn of_two_settings_the_older_wins() {
        let old = json!({"type": "linear", "factor": 2.0});
        let new = json!({"rope_type": "linear", "factor": 8.0, "rope_theta": 5e5});
        for (old, factor, theta) in [(old, 2.0, 10_000.0), (Value::Null, 8.0, 5e5), (json!({}), 8.0, 5e5)] {
            let mut config = DecoderConfig::preset(Preset::Tiny, 9).to_hugging_face(0, Precision::F32);
            config.as_object_mut().expect("an object").remove("rope_theta");
            config["rope_scaling"] = old;
            config["rope_parameters"] = new.clone();
            let shape = DecoderConfig::from_hugging_face(&config).expect("is read");
            assert_eq!((shape.rope_scaling, shape.rope_theta), (RopeScaling::Linear { factor }, theta));
        }
    }

    #[test]
    fn numbers_of_no_use_are_named() {
        for (rope, says) in [
            (json!({"rope_type": "linear"}), "\"factor\" is missing"),
            (json!({"rope_type": "yarn", "factor": -1}), "\"factor\" is -1, not above 0"),
            (
                json!({"rope_type": "default", "partial_rotary_factor": 0.5}),
                "rope_parameters: a partial_rotary_factor is not supported",
            ),
        ] {
            assert_eq!(read(rope), Err(format!("config.json: {says}")));
        }
    }
}
