//! The shape of a decoder, and Hugging Face's `config.json`.

use crate::checkpoint::CheckpointError;
use crate::precision::Precision;
use crate::rope_scaling::RopeScaling;
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
    /// What is done to those frequencies for longer texts.
    pub rope_scaling: RopeScaling,
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
    /// The feed-forward network has biases (Llama with `mlp_bias`).
    pub mlp_bias: bool,
}

/// A built-in shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// 0.2 M parameters: learns while somebody watches, in a browser, on a phone.
    Toy,
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
            Preset::Toy => (64, 192, 3, 2, 512),
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
            rope_scaling: RopeScaling::Default,
            rms_norm_eps: 1e-5,
            tie_word_embeddings: true,
            qkv_bias: false,
            output_bias: false,
            qk_norm: false,
            mlp_bias: false,
        }
    }

    /// Query heads that share one key head.
    pub fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// Bytes of the largest matrix, in f32: what one binding of an adapter has to hold.
    pub fn largest_matrix_bytes(&self) -> u64 {
        4 * self.vocab_size.max(self.intermediate_size) as u64 * self.hidden_size as u64
    }

    /// Number of trainable parameters.
    pub fn parameters(&self) -> usize {
        let (width, head) = (self.hidden_size, self.head_dim);
        let (inner, kv) = (self.num_attention_heads * head, self.num_key_value_heads * head);
        let bias = usize::from(self.qkv_bias) * (inner + 2 * kv) + usize::from(self.output_bias) * width;
        let attention = width * (2 * inner + 2 * kv) + bias + usize::from(self.qk_norm) * 2 * head;
        let feed_forward = 3 * width * self.intermediate_size
            + usize::from(self.mlp_bias) * (2 * self.intermediate_size + width);
        let block = attention + feed_forward + 2 * width;
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
    pub fn to_hugging_face(&self, eos: u32, precision: Precision) -> Value {
        let (model_type, architecture) = self.family();
        let rope = self.rope_scaling.to_json(self.rope_theta);
        let scaling = if self.rope_scaling == RopeScaling::Default { Value::Null } else { rope.clone() };
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
            "rope_scaling": scaling,
            "rope_parameters": rope,
            "rms_norm_eps": self.rms_norm_eps,
            "tie_word_embeddings": self.tie_word_embeddings,
            "attention_bias": self.output_bias,
            "mlp_bias": self.mlp_bias,
            "attention_dropout": 0.0,
            "use_sliding_window": false,
            "bos_token_id": Value::Null,
            "eos_token_id": eos,
            "pad_token_id": eos,
            "torch_dtype": precision.hugging_face(),
            "dtype": precision.hugging_face(),
            "use_cache": true,
        })
    }

    /// The `config.json` that this shape was read from, brought up to what has changed since: the number of tokens and the
    /// type of the numbers. Everything else in it, known here or not, stays as it was.
    pub fn carry(&self, mut original: Value, precision: Precision) -> Value {
        original["vocab_size"] = json!(self.vocab_size);
        // Version 4 of transformers reads the one, version 5 both.
        let key = if original.get("dtype").is_some() { "dtype" } else { "torch_dtype" };
        original[key] = json!(precision.hugging_face());
        if original.get("torch_dtype").is_some() {
            original["torch_dtype"] = json!(precision.hugging_face());
        }
        original
    }

    /// Reads `config.json`.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] for a missing field, a family or a feature that this decoder does not have.
    pub fn from_hugging_face(config: &Value) -> Result<Self, CheckpointError> {
        let fields = Fields::of(config.as_object().ok_or_else(|| bad("it is not a JSON object"))?);
        let family = fields.text("model_type")?;
        if !["llama", "qwen2", "qwen3"].contains(&family) {
            return Err(bad(&format!("model_type \"{family}\" is not one of llama, qwen2, qwen3")));
        }
        fields.refuse_unsupported()?;
        let attention_bias = fields.flag_or("attention_bias", false)?;
        let heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        // What the family's own class assumes where nothing is said.
        let (kv_heads, head_dim) = match family {
            "llama" => (heads, hidden_size / heads),
            "qwen2" => (32, hidden_size / heads),
            _ => (32, 128),
        };
        // Null is as many as there are query heads.
        let kv_heads =
            if fields.0.get("num_key_value_heads").is_some_and(Value::is_null) { heads } else { kv_heads };
        let shape = Self {
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(kv_heads),
            head_dim: fields.optional_size("head_dim")?.unwrap_or(head_dim),
            max_position_embeddings: fields.size("max_position_embeddings")?,
            rope_theta: fields.rope_theta()?,
            rope_scaling: RopeScaling::from_config(&fields)?,
            rms_norm_eps: fields.positive_or("rms_norm_eps", 1e-6)?,
            tie_word_embeddings: fields.flag_or("tie_word_embeddings", false)?,
            qkv_bias: family == "qwen2" || attention_bias,
            output_bias: attention_bias && family != "qwen2",
            qk_norm: family == "qwen3",
            mlp_bias: fields.flag_or("mlp_bias", false)? && family == "llama",
        };
        if !shape.num_attention_heads.is_multiple_of(shape.num_key_value_heads) {
            return Err(bad("num_key_value_heads does not divide num_attention_heads"));
        }
        if shape.head_dim == 0 || !shape.head_dim.is_multiple_of(2) {
            return Err(bad("head_dim is 0 or odd, which rotary embedding cannot turn"));
        }
        Ok(shape)
    }
}

pub(crate) fn bad(what: &str) -> CheckpointError {
    CheckpointError::Config { what: what.to_owned() }
}

/// A JSON object whose values are read by name; null is as good as nothing.
pub(crate) struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    /// The fields of `map`.
    pub(crate) fn of(map: &'a Map<String, Value>) -> Self {
        Self(map)
    }

    fn given(&self, key: &str) -> Option<&'a Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    pub(crate) fn size(&self, key: &str) -> Result<usize, CheckpointError> {
        self.optional_size(key)?.ok_or_else(|| bad(&format!("\"{key}\" is missing")))
    }

    pub(crate) fn optional_size(&self, key: &str) -> Result<Option<usize>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        // More than fits 32 bits is no size of anything here, and products of such sizes would overflow.
        let size = value.as_u64().filter(|&size| size > 0 && size <= u64::from(u32::MAX));
        match size {
            Some(size) => Ok(Some(size as usize)),
            None => Err(bad(&format!("\"{key}\" is {value}, not a positive integer of 32 bits"))),
        }
    }

    fn text(&self, key: &str) -> Result<&'a str, CheckpointError> {
        self.optional_text(key)?.ok_or_else(|| bad(&format!("\"{key}\" is missing")))
    }

    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&'a str>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| bad(&format!("\"{key}\" is {value}, not a string")))
    }

    pub(crate) fn flag_or(&self, key: &str, default: bool) -> Result<bool, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| bad(&format!("\"{key}\" is {value}, not true or false")))
    }

    pub(crate) fn optional_number(&self, key: &str) -> Result<Option<f64>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        let number = value.as_f64().filter(|number| number.is_finite());
        number.map(Some).ok_or_else(|| bad(&format!("\"{key}\" is {value}, not a number")))
    }

    pub(crate) fn positive(&self, key: &str) -> Result<f64, CheckpointError> {
        match self.optional_number(key)? {
            Some(number) if number > 0.0 => Ok(number),
            Some(number) => Err(bad(&format!("\"{key}\" is {number}, not above 0"))),
            None => Err(bad(&format!("\"{key}\" is missing"))),
        }
    }

    pub(crate) fn positive_or(&self, key: &str, default: f64) -> Result<f64, CheckpointError> {
        if self.given(key).is_some() { self.positive(key) } else { Ok(default) }
    }

    pub(crate) fn object(&self, key: &str) -> Result<Option<Fields<'a>>, CheckpointError> {
        let Some(value) = self.given(key) else { return Ok(None) };
        value
            .as_object()
            .map(|map| Some(Fields(map)))
            .ok_or_else(|| bad(&format!("\"{key}\" is no JSON object")))
    }

    /// Settings of the rotary embedding with their key: `rope_scaling` (transformers 4) or else `rope_parameters` (5). Version 5
    /// reads both, too, and has the older one win.
    pub(crate) fn rope(&self) -> Result<Option<(&'static str, Fields<'a>)>, CheckpointError> {
        for key in ["rope_scaling", "rope_parameters"] {
            if let Some(rope) = self.object(key)?.filter(|rope| !rope.0.is_empty()) {
                return Ok(Some((key, rope)));
            }
        }
        Ok(None)
    }

    /// Version 5 nests what version 4 kept at the top.
    fn rope_theta(&self) -> Result<f64, CheckpointError> {
        match self.rope()?.filter(|(_, rope)| rope.given("rope_theta").is_some()) {
            Some((_, nested)) => nested.positive("rope_theta"),
            None => self.positive_or("rope_theta", 10_000.0),
        }
    }

    fn refuse_unsupported(&self) -> Result<(), CheckpointError> {
        let act = self.optional_text("hidden_act")?.unwrap_or("silu");
        if act != "silu" {
            return Err(bad(&format!("hidden_act \"{act}\" is not supported, only silu")));
        }
        let layers = self.given("layer_types").and_then(Value::as_array);
        let sliding = layers.is_some_and(|layers| layers.iter().any(|layer| layer != "full_attention"));
        if self.flag_or("use_sliding_window", false)? || sliding {
            return Err(bad("sliding window attention is not supported"));
        }
        if self.given("quantization_config").is_some() {
            return Err(bad("quantized weights are not supported; use the model in its original precision"));
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
        assert_eq!(size(Preset::Toy), 177_152);
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
            let json = config.to_hugging_face(7, Precision::F32);
            assert_eq!(json["model_type"], family);
            assert_eq!(DecoderConfig::from_hugging_face(&json).expect("reads back"), config);
        }
    }

    /// As the classes of transformers 5.23 have it.
    #[test]
    fn key_heads_that_are_not_given() {
        for (family, absent) in [("llama", Some(4)), ("qwen2", None), ("qwen3", None)] {
            let mut config = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
            config["model_type"] = json!(family);
            config["num_key_value_heads"] = Value::Null;
            let read = |config: &Value| {
                DecoderConfig::from_hugging_face(config).map(|shape| shape.num_key_value_heads)
            };
            assert_eq!(read(&config).ok(), Some(4), "{family}");
            config.as_object_mut().expect("an object").remove("num_key_value_heads");
            // 32 does not divide the 4 heads of this one.
            assert_eq!(read(&config).ok(), absent, "{family}");
        }
    }

    #[test]
    fn what_the_decoder_lacks_is_refused_by_name() {
        let good = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
        for (key, value, says) in [
            ("model_type", json!("gpt2"), "model_type \"gpt2\" is not one of llama, qwen2, qwen3"),
            ("hidden_act", json!("gelu"), "hidden_act \"gelu\" is not supported, only silu"),
            ("layer_types", json!(["sliding_attention"]), "sliding window attention is not supported"),
            (
                "quantization_config",
                json!({"bits": 4}),
                "quantized weights are not supported; use the model in its original precision",
            ),
            ("hidden_size", json!("x"), "\"hidden_size\" is \"x\", not a positive integer of 32 bits"),
            ("hidden_size", Value::Null, "\"hidden_size\" is missing"),
            (
                "head_dim",
                json!(1u64 << 40),
                "\"head_dim\" is 1099511627776, not a positive integer of 32 bits",
            ),
            ("rope_theta", json!(0), "\"rope_theta\" is 0, not above 0"),
            ("rope_scaling", json!("yarn"), "\"rope_scaling\" is no JSON object"),
            ("partial_rotary_factor", json!(0.5), "a partial_rotary_factor is not supported"),
            ("num_key_value_heads", json!(3), "num_key_value_heads does not divide num_attention_heads"),
            (
                "rope_scaling",
                json!({"type": "longrope"}),
                "rope_scaling of type \"longrope\" is not supported, only default, linear, dynamic, yarn and llama3",
            ),
        ] {
            let mut config = good.clone();
            // As version 4 wrote it: `rope_theta` at the top counts.
            config.as_object_mut().expect("an object").remove("rope_parameters");
            config[key] = value;
            let error = DecoderConfig::from_hugging_face(&config).expect_err(key);
            assert_eq!(error.to_string(), format!("config.json: {says}"));
        }
    }
}
