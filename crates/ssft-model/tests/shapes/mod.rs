//! Small shapes that stand for all there are.

use ssft_model::DecoderConfig;
use ssft_model::config::Preset;

/// Tied and not, grouped, with every bias, with norms per head.
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
        DecoderConfig { num_key_value_heads: 2, qkv_bias: true, tie_word_embeddings: false, ..base.clone() },
        DecoderConfig { qkv_bias: true, output_bias: true, mlp_bias: true, ..base.clone() },
        DecoderConfig { num_key_value_heads: 3, qk_norm: true, head_dim: 8, ..base },
    ]
}
