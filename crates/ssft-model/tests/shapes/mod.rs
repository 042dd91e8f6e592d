//! Small shapes that cover every optional part of a decoder.

use ssft_model::DecoderConfig;
use ssft_model::config::Preset;
use ssft_model::family::Family;

/// Tied and untied, with grouped queries, with all biases, and with norms per head.
pub fn shapes() -> Vec<DecoderConfig> {
    let base = DecoderConfig {
        hidden_size: 24,
        intermediate_size: 40,
        num_hidden_layers: 2,
        num_attention_heads: 6,
        num_key_value_heads: 6,
        head_dim: 4,
        ..DecoderConfig::preset(Preset::Tiny, 50)
    };
    vec![
        base.clone(),
        DecoderConfig {
            family: Family::Qwen2,
            num_key_value_heads: 2,
            tie_word_embeddings: false,
            ..base.clone()
        },
        DecoderConfig { attention_bias: true, mlp_bias: true, ..base.clone() },
        DecoderConfig { family: Family::Qwen3, num_key_value_heads: 3, head_dim: 8, ..base },
    ]
}
