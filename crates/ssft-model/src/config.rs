//! The shape of a decoder, and Hugging Face's `config.json`.

use crate::checkpoint::CheckpointError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The shape of a decoder. Field names are those of `config.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DecoderConfig {
    /// Rows of the embedding.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width inside the feed-forward network.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub num_hidden_layers: usize,
    /// Query heads.
    pub num_attention_heads: usize,
    /// Key and value heads; divides the query heads.
    pub num_key_value_heads: usize,
    /// Width of a head.
    pub head_dim: usize,
    /// Longest sequence the model is meant for, in tokens.
    pub max_position_embeddings: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// Added to the mean square in norms.
    pub rms_norm_eps: f64,
    /// The embedding is the head.
    pub tie_word_embeddings: bool,
    /// Query, key and value projections have a bias (Qwen2; Llama with `attention_bias`).
    pub qkv_bias: bool,
    /// The output projection of attention has a bias (Llama with `attention_bias`).
    pub output_bias: bool,
    /// Queries and keys are normalised per head (Qwen3).
    pub qk_norm: bool,
}

/// A built-in shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 0.9 M parameters at a vocabulary of 265: minutes on a laptop CPU.
    Tiny,
    /// 0.6 M parameters: small enough for a web page.
    Demo,
    /// 14 M parameters.
    Small,
}

impl DecoderConfig {
    /// A built-in shape for a vocabulary of `vocab_size`.
    pub fn preset(preset: Preset, vocab_size: usize) -> Self {
        let (width, inner, layers, heads, context) = match preset {
            Preset::Tiny => (128, 384, 4, 4, 512),
            Preset::Demo => (96, 256, 5, 3, 512),
            Preset::Small => (384, 1024, 8, 6, 1024),
        };
        Self {
            vocab_size,
            hidden_size: width,
            intermediate_size: inner,
            num_hidden_layers: layers,
            num_attention_heads: heads,
            num_key_value_heads: heads,
            head_dim: width / heads,
            max_position_embeddings: context,
            rope_theta: 10_000.0,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            qkv_bias: false,
            output_bias: false,
            qk_norm: false,
        }
    }

    /// Query heads that share one key head.
    pub fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        let (width, head) = (self.hidden_size, self.head_dim);
        let (inner, kv) = (self.num_attention_heads * head, self.num_key_value_heads * head);
        let bias = usize::from(self.qkv_bias) * (inner + 2 * kv) + usize::from(self.output_bias) * width;
        let attention = width * (2 * inner + 2 * kv) + bias + usize::from(self.qk_norm) * 2 * head;
        let block = attention + 3 * width * self.intermediate_size + 2 * width;
        let tables = if self.tie_word_embeddings { 1 } else { 2 };
        self.num_hidden_layers * block + tables * self.vocab_size * width + width
    }

    /// Deviation of initial embeddings.
    pub(crate) fn embedding_std(&self) -> f64 {
        0.02
    }

    /// Deviation of initial weights that read the residual stream: keeps the variance of a normed input.
    pub(crate) fn input_std(&self) -> f64 {
        (self.hidden_size as f64).powf(-0.5)
    }

    /// Deviation of initial weights that write to the residual stream: its variance grows by a constant
    /// over all layers together. Source: GPT-2, section 2.3.
    pub(crate) fn residual_std(&self) -> f64 {
        self.input_std() / (2.0 * self.num_hidden_layers as f64).sqrt()
    }

    fn family(&self) -> (&'static str, &'static str) {
        match (self.qkv_bias, self.output_bias, self.qk_norm) {
            (_, _, true) => ("qwen3", "Qwen3ForCausalLM"),
            (true, false, false) => ("qwen2", "Qwen2ForCausalLM"),
            _ => ("llama", "LlamaForCausalLM"),
        }
    }

    /// `config.json`, with the keys of transformers 4 and 5 side by side.
    pub fn to_hugging_face(&self, eos: u32) -> Value {
        let (model_type, architecture) = self.family();
        json!({
            "architectures": [architecture],
            "model_type": model_type,
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_hidden_layers,
            "num_attention_heads": self.num_attention_heads,
            "num_key_value_heads": self.num_key_value_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_position_embeddings,
            "rope_theta": self.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.rope_theta},
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.output_bias,
            "mlp_bias": false,
            "attention_dropout": 0.0,
            "use_sliding_window": false,
            "bos_token_id": Value::Null,
            "eos_token_id": eos,
            "pad_token_id": eos,
            "torch_dtype": "float32",
            "dtype": "float32",
            "use_cache": true,
        })
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] for a missing field, a family or a feature that this decoder does not have.
    pub fn from_hugging_face(config: &Value) -> Result<Self, CheckpointError> {
        let fields = Fields(config.as_object().ok_or_else(|| bad("it is not a JSON object"))?);
        let family = fields.text("model_type")?;
        if !["llama", "qwen2", "qwen3"].contains(&family) {
            return Err(bad(&format!("model_type \"{family}\" is not one of llama, qwen2, qwen3")));
        }
        fields.refuse_unsupported()?;
        let attention_bias = fields.flag("attention_bias");
        let heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        let shape = Self {
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.size("num_key_value_heads").unwrap_or(heads),
            head_dim: fields.size("head_dim").unwrap_or(hidden_size / heads),
            max_position_embeddings: fields.size("max_position_embeddings")?,
            rope_theta: fields.rope_theta(),
            rms_norm_eps: fields.0.get("rms_norm_eps").and_then(Value::as_f64).unwrap_or(1e-6),
            tie_word_embeddings: fields.flag("tie_word_embeddings"),
            qkv_bias: family == "qwen2" || attention_bias,
            output_bias: attention_bias && family != "qwen2",
            qk_norm: family == "qwen3",
        };
        if !shape.num_attention_heads.is_multiple_of(shape.num_key_value_heads) {
            return Err(bad("num_key_value_heads does not divide num_attention_heads"));
        }
        if !shape.head_dim.is_multiple_of(2) {
            return Err(bad("head_dim is odd, which rotary embedding cannot turn"));
        }
        Ok(shape)
    }
}

fn bad(what: &str) -> CheckpointError {
    CheckpointError::Config { what: what.to_owned() }
}

struct Fields<'a>(&'a Map<String, Value>);

impl Fields<'_> {
    fn size(&self, key: &str) -> Result<usize, CheckpointError> {
        let value = self.0.get(key).and_then(Value::as_u64).filter(|&size| size > 0);
        value
            .map(|size| size as usize)
            .ok_or_else(|| bad(&format!("\"{key}\" is missing or not a positive integer")))
    }

    fn text(&self, key: &str) -> Result<&str, CheckpointError> {
        self.0
            .get(key)
            .and_then(Value::as_str)
            .ok_or_else(|| bad(&format!("\"{key}\" is missing or not a string")))
    }

    fn flag(&self, key: &str) -> bool {
        self.0.get(key).and_then(Value::as_bool).unwrap_or(false)
    }

    /// transformers 5 nests what version 4 kept at the top.
    fn rope_theta(&self) -> f64 {
        let nested = self.0.get("rope_parameters").and_then(|rope| rope.get("rope_theta"));
        nested.or_else(|| self.0.get("rope_theta")).and_then(Value::as_f64).unwrap_or(10_000.0)
    }

    fn refuse_unsupported(&self) -> Result<(), CheckpointError> {
        let act = self.0.get("hidden_act").and_then(Value::as_str).unwrap_or("silu");
        if act != "silu" {
            return Err(bad(&format!("hidden_act \"{act}\" is not supported, only silu")));
        }
        if self.flag("mlp_bias") {
            return Err(bad("mlp_bias is not supported"));
        }
        if self.flag("use_sliding_window") {
            return Err(bad("sliding window attention is not supported"));
        }
        for key in ["rope_scaling", "rope_parameters"] {
            let rope = self.0.get(key);
            let kind = rope
                .and_then(|rope| rope.get("rope_type").or_else(|| rope.get("type")))
                .and_then(Value::as_str);
            if let Some(kind) = kind.filter(|&kind| kind != "default") {
                return Err(bad(&format!("{key} of type \"{kind}\" is not supported yet, only default")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_have_the_advertised_sizes() {
        let size = |preset| DecoderConfig::preset(preset, 265).parameters();
        assert_eq!(size(Preset::Tiny), 887_040);
        assert_eq!(size(Preset::Demo), 579_456);
        assert_eq!(size(Preset::Small), 14_264_064);
    }

    #[test]
    fn every_family_survives_its_json() {
        let llama = DecoderConfig::preset(Preset::Tiny, 99);
        let qwen2 = DecoderConfig { qkv_bias: true, tie_word_embeddings: false, ..llama.clone() };
        let qwen3 = DecoderConfig { qk_norm: true, num_key_value_heads: 2, rope_theta: 1e6, ..llama.clone() };
        let biased = DecoderConfig { qkv_bias: true, output_bias: true, ..llama.clone() };
        for (config, family) in [(llama, "llama"), (qwen2, "qwen2"), (qwen3, "qwen3"), (biased, "llama")] {
            let json = config.to_hugging_face(7);
            assert_eq!(json["model_type"], family);
            assert_eq!(DecoderConfig::from_hugging_face(&json).expect("reads back"), config);
        }
    }

    #[test]
    fn what_the_decoder_lacks_is_refused_by_name() {
        let good = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7);
        for (key, value, says) in [
            ("model_type", json!("gpt2"), "model_type \"gpt2\" is not one of llama, qwen2, qwen3"),
            ("hidden_act", json!("gelu"), "hidden_act \"gelu\" is not supported, only silu"),
            ("mlp_bias", json!(true), "mlp_bias is not supported"),
            ("hidden_size", json!("x"), "\"hidden_size\" is missing or not a positive integer"),
            ("num_key_value_heads", json!(3), "num_key_value_heads does not divide num_attention_heads"),
            (
                "rope_scaling",
                json!({"type": "linear"}),
                "rope_scaling of type \"linear\" is not supported yet, only default",
            ),
        ] {
            let mut config = good.clone();
            config[key] = value;
            let error = DecoderConfig::from_hugging_face(&config).expect_err(key);
            assert_eq!(error.to_string(), format!("config.json: {says}"));
        }
    }
}
