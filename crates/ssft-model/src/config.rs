//! Shape of a decoder: sizes, and which optional parts it has.
//!
//! Reading and writing `config.json` is in [`crate::directory`]; what a model family implies is in [`crate::family`].

use crate::family::{AttentionBias, Family, MlpBias, QkNorm};
use crate::rope_scaling::RopeScaling;
use serde::{Deserialize, Serialize};

/// Base of the rotary frequencies, unless a model has another.
pub(crate) const DEFAULT_ROPE_THETA: f64 = 10_000.0;

/// Bytes of an f32.
const BYTES_PER_NUMBER: usize = 4;

/// Matrices of a gated feed-forward network: gate, up and down.
const FEED_FORWARD_MATRICES: usize = 3;

/// Shape of a decoder. Fields have the names and meanings of the keys of `config.json`.
///
/// ```
/// use ssft_model::config::Preset;
/// use ssft_model::family::Family;
/// use ssft_model::{DecoderConfig, Precision};
///
/// let config = DecoderConfig::preset(Preset::Toy, 265);
/// assert_eq!((config.hidden_size, config.num_hidden_layers), (64, 3));
/// assert_eq!(config.parameters(), 177_152);
///
/// let qwen = DecoderConfig { family: Family::Qwen2, ..config };
/// let json = qwen.to_hugging_face(0, Precision::F32);
/// assert_eq!(json["architectures"][0], "Qwen2ForCausalLM");
/// assert_eq!(DecoderConfig::from_hugging_face(&json)?, qwen);
/// # Ok::<(), ssft_model::CheckpointError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecoderConfig {
    /// Family, `model_type` in `config.json`.
    pub family: Family,
    /// Number of rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the hidden layer of the feed-forward network.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key heads and of value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Longest sequence that the model supports, in tokens.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Method that adapts the rotary frequencies to long texts.
    pub rope_scaling: RopeScaling,
    /// Epsilon of the norms: added to the mean square.
    pub rms_norm_eps: f64,
    /// The head is the embedding; there is no `lm_head`.
    pub tie_word_embeddings: bool,
    /// Projections of attention have biases; ignored by families where this is fixed ([`DecoderConfig::qkv_bias`]).
    pub attention_bias: bool,
    /// The feed-forward network has biases; ignored by families other than Llama.
    pub mlp_bias: bool,
}

/// A built-in shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 0.2 M parameters at a vocabulary of 265: trains while one watches, in a browser or on a phone.
    Toy,
    /// 0.9 M parameters at a vocabulary of 265: trains in minutes on a laptop CPU.
    Tiny,
    /// 0.6 M parameters at a vocabulary of 265: small enough to download with a web page.
    Demo,
    /// 14 M parameters at a vocabulary of 265.
    Small,
}

impl DecoderConfig {
    /// A built-in shape of the Llama family, with `vocab_size` rows of the embedding.
    pub fn preset(preset: Preset, vocab_size: usize) -> Self {
        let (width, inner, layers, heads, context) = match preset {
            Preset::Toy => (64, 192, 3, 2, 512),
            Preset::Tiny => (128, 384, 4, 4, 512),
            Preset::Demo => (96, 256, 5, 3, 512),
            Preset::Small => (384, 1024, 8, 6, 1024),
        };
        Self {
            family: Family::Llama,
            vocab_size,
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: heads,
            head_dim: width / heads,
            max_position_embeddings: context,
            rope_theta: DEFAULT_ROPE_THETA,
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            attention_bias: false,
            mlp_bias: false,
        }
    }

    /// True if the query, key and value projections have a bias.
    pub fn qkv_bias(&self) -> bool {
        match self.family.attention_bias() {
            AttentionBias::ByKey => self.attention_bias,
            AttentionBias::QueryKeyValue => true,
        }
    }

    /// True if the output projection of attention has a bias.
    pub fn output_bias(&self) -> bool {
        match self.family.attention_bias() {
            AttentionBias::ByKey => self.attention_bias,
            AttentionBias::QueryKeyValue => false,
        }
    }

    /// True if the feed-forward network has biases.
    pub fn feed_forward_bias(&self) -> bool {
        match self.family.mlp_bias() {
            MlpBias::ByKey => self.mlp_bias,
            MlpBias::Never => false,
        }
    }

    /// True if queries and keys are normalised per head.
    pub fn qk_norm(&self) -> bool {
        self.family.qk_norm() == QkNorm::PerHead
    }

    /// Number of query heads that share one key head.
    pub fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// Size of the largest weight matrix in bytes, in f32: the smallest buffer binding that an adapter must support.
    pub fn largest_matrix_bytes(&self) -> u64 {
        BYTES_PER_NUMBER as u64 * self.vocab_size.max(self.intermediate_size) as u64 * self.hidden_size as u64
    }

    /// Number of parameters.
    pub fn parameters(&self) -> usize {
        let (width, head) = (self.hidden_size, self.head_dim);
        let (inner, kv) = (self.num_attention_heads * head, self.num_key_value_heads * head);
        let bias = usize::from(self.qkv_bias()) * (inner + 2 * kv) + usize::from(self.output_bias()) * width;
        let attention = width * (2 * inner + 2 * kv) + bias + usize::from(self.qk_norm()) * 2 * head;
        let feed_forward = FEED_FORWARD_MATRICES * width * self.intermediate_size
            + usize::from(self.feed_forward_bias()) * (2 * self.intermediate_size + width);
        let norms = 2 * width;
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        self.num_hidden_layers * (attention + feed_forward + norms) + tables * self.vocab_size * width + width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_advertised_sizes() {
        let size = |preset| DecoderConfig::preset(preset, 265).parameters();
        assert_eq!(size(Preset::Toy), 177_152);
        assert_eq!(size(Preset::Tiny), 887_040);
        assert_eq!(size(Preset::Demo), 579_456);
        assert_eq!(size(Preset::Small), 14_264_064);
    }

    #[test]
    fn biases_and_norms_follow_from_the_family() {
        let parts = |family, attention_bias| {
            let config = DecoderConfig {
                family,
                attention_bias,
                mlp_bias: true,
                ..DecoderConfig::preset(Preset::Toy, 9)
            };
            (config.qkv_bias(), config.output_bias(), config.feed_forward_bias(), config.qk_norm())
        };
        assert_eq!(parts(Family::Llama, false), (false, false, true, false));
        assert_eq!(parts(Family::Llama, true), (true, true, true, false));
        assert_eq!(parts(Family::Qwen2, false), (true, false, false, false));
        assert_eq!(parts(Family::Qwen2, true), (true, false, false, false));
        assert_eq!(parts(Family::Qwen3, false), (false, false, false, true));
        assert_eq!(parts(Family::Qwen3, true), (true, true, false, true));
    }
}
