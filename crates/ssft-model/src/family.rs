//! Model families: what the key `model_type` of `config.json` implies.
//!
//! To add a family, add a variant, its entry in `Family::facts`, and a case in the tests of this file. A family whose
//! blocks compute something new also needs that in [`crate::attention`] or [`crate::feed_forward`].

use serde::{Deserialize, Serialize};

/// A model family that this crate reads, trains and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Llama 1 to 3 and models of the same structure, such as SmolLM2 and TinyLlama.
    Llama,
    /// Qwen2 and Qwen2.5: query, key and value projections always have a bias.
    Qwen2,
    /// Qwen3: queries and keys are normalised per head.
    Qwen3,
}

/// Everything that a family implies. Defaults are those of the family's configuration class in transformers.
struct Facts {
    model_type: &'static str,
    architecture: &'static str,
    key_heads: DefaultKeyHeads,
    head_dim: DefaultHeadDim,
    /// Longest sequence if `config.json` does not have the key `max_position_embeddings`.
    context: usize,
    attention_bias: AttentionBias,
    mlp_bias: MlpBias,
    qk_norm: QkNorm,
    window: Window,
}

/// Number of key heads if `config.json` does not have the key `num_key_value_heads`.
enum DefaultKeyHeads {
    /// The number of query heads.
    QueryHeads,
    Fixed(usize),
}

/// Width of a head if `config.json` does not have the key `head_dim`.
enum DefaultHeadDim {
    /// `hidden_size / num_attention_heads`.
    WidthPerHead,
    Fixed(usize),
}

/// Which projections of attention have a bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AttentionBias {
    /// Query, key, value and output projection if `attention_bias` is true, else none.
    ByKey,
    /// Query, key and value projection; the key `attention_bias` is ignored.
    QueryKeyValue,
}

/// Whether the feed-forward network has biases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MlpBias {
    /// If `mlp_bias` is true.
    ByKey,
    /// Never; the key `mlp_bias` is ignored.
    Never,
}

/// Whether queries and keys are normalised per head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QkNorm {
    Absent,
    PerHead,
}

/// Which layers attend to a window of the last tokens only, without the key `layer_types`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// None; the key `use_sliding_window` is ignored.
    Never,
    /// Those from `max_window_layers` on if `use_sliding_window` is true.
    ByKeys,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 3] = [Self::Llama, Self::Qwen2, Self::Qwen3];

    const fn facts(self) -> Facts {
        match self {
            Self::Llama => Facts {
                model_type: "llama",
                architecture: "LlamaForCausalLM",
                key_heads: DefaultKeyHeads::QueryHeads,
                head_dim: DefaultHeadDim::WidthPerHead,
                context: 2048,
                attention_bias: AttentionBias::ByKey,
                mlp_bias: MlpBias::ByKey,
                qk_norm: QkNorm::Absent,
                window: Window::Never,
            },
            Self::Qwen2 => Facts {
                model_type: "qwen2",
                architecture: "Qwen2ForCausalLM",
                key_heads: DefaultKeyHeads::Fixed(32),
                head_dim: DefaultHeadDim::WidthPerHead,
                context: 32_768,
                attention_bias: AttentionBias::QueryKeyValue,
                mlp_bias: MlpBias::Never,
                qk_norm: QkNorm::Absent,
                window: Window::ByKeys,
            },
            Self::Qwen3 => Facts {
                model_type: "qwen3",
                architecture: "Qwen3ForCausalLM",
                key_heads: DefaultKeyHeads::Fixed(32),
                head_dim: DefaultHeadDim::Fixed(128),
                context: 32_768,
                attention_bias: AttentionBias::ByKey,
                mlp_bias: MlpBias::Never,
                qk_norm: QkNorm::PerHead,
                window: Window::ByKeys,
            },
        }
    }

    /// The family with this `model_type`, if it is supported.
    pub fn of_model_type(model_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|family| family.model_type() == model_type)
    }

    /// Value of the key `model_type` in `config.json`.
    pub fn model_type(self) -> &'static str {
        self.facts().model_type
    }

    /// Name of the model class in transformers, the value of `architectures` in `config.json`.
    pub fn architecture(self) -> &'static str {
        self.facts().architecture
    }

    /// Number of key heads if `config.json` does not have the key.
    pub(crate) fn default_key_heads(self, query_heads: usize) -> usize {
        match self.facts().key_heads {
            DefaultKeyHeads::QueryHeads => query_heads,
            DefaultKeyHeads::Fixed(heads) => heads,
        }
    }

    /// Width of a head if `config.json` does not have the key.
    pub(crate) fn default_head_dim(self, hidden_size: usize, query_heads: usize) -> usize {
        match self.facts().head_dim {
            DefaultHeadDim::WidthPerHead => hidden_size / query_heads,
            DefaultHeadDim::Fixed(width) => width,
        }
    }

    /// Longest sequence if `config.json` does not have the key.
    pub(crate) fn default_context(self) -> usize {
        self.facts().context
    }

    pub(crate) fn window(self) -> Window {
        self.facts().window
    }

    pub(crate) fn attention_bias(self) -> AttentionBias {
        self.facts().attention_bias
    }

    pub(crate) fn mlp_bias(self) -> MlpBias {
        self.facts().mlp_bias
    }

    pub(crate) fn qk_norm(self) -> QkNorm {
        self.facts().qk_norm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_types_name_their_family() {
        for family in Family::ALL {
            assert_eq!(Family::of_model_type(family.model_type()), Some(family));
            let json = serde_json::to_value(family).expect("a string");
            assert_eq!(json, family.model_type());
        }
        assert_eq!(Family::of_model_type("gpt2"), None);
    }

    /// As in the configuration classes of transformers 5.23, for a width of 96 and 4 query heads.
    #[test]
    fn defaults_are_those_of_transformers() {
        let defaults = Family::ALL.map(|family| {
            (family.default_key_heads(4), family.default_head_dim(96, 4), family.default_context())
        });
        assert_eq!(defaults, [(4, 24, 2048), (32, 24, 32_768), (32, 128, 32_768)]);
    }
}
