//! `config.json`: reading a [`DecoderConfig`] from it, and writing one.
//!
//! What a family implies is in [`crate::family`], the settings of the rotary embedding in `rope_json`.

use super::json_fields::Fields;
use super::rope_json;
use crate::config::DecoderConfig;
use crate::error::CheckpointError;
use crate::family::{Family, Window};
use crate::precision::Precision;
use crate::rope_scaling::RopeScaling;
use serde_json::{Value, json};

/// Epsilon of the norms if `config.json` does not have the key; the same in all families.
const DEFAULT_NORM_EPSILON: f64 = 1e-6;

/// First layer with a window if `config.json` does not have the key `max_window_layers`; the same in all families.
const DEFAULT_WINDOW_LAYERS: f64 = 28.0;

/// Names of the activation that is supported.
const SILU: [&str; 2] = ["silu", "swish"];

impl DecoderConfig {
    /// Content of a new `config.json`, with the keys of versions 4 and 5 of transformers side by side.
    pub fn to_hugging_face(&self, eos: u32, precision: Precision) -> Value {
        let rope = rope_json::write(self.rope_scaling, self.rope_theta);
        let scaling = if self.rope_scaling == RopeScaling::Default { Value::Null } else { rope.clone() };
        json!({
            "architectures": [self.family.architecture()],
            "model_type": self.family.model_type(),
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
            "attention_bias": self.output_bias(),
            "mlp_bias": self.feed_forward_bias(),
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

    /// The `config.json` that this shape was read from, with the current number of tokens and the type `precision`. All
    /// other keys, including unsupported ones, keep their values.
    pub fn update_hugging_face(&self, mut original: Value, precision: Precision) -> Value {
        original["vocab_size"] = json!(self.vocab_size);
        // Version 4 of transformers reads `torch_dtype`, version 5 both keys.
        let key = if original.get("dtype").is_some() { "dtype" } else { "torch_dtype" };
        original[key] = json!(precision.hugging_face());
        if original.get("torch_dtype").is_some() {
            original["torch_dtype"] = json!(precision.hugging_face());
        }
        original
    }

    /// Reads the content of a `config.json`.
    ///
    /// # Errors
    /// [`CheckpointError::Config`] if a key is missing or has an invalid value, or if the family or a feature is not
    /// supported.
    pub fn from_hugging_face(config: &Value) -> Result<Self, CheckpointError> {
        let map = config.as_object().ok_or_else(|| CheckpointError::config("it is not a JSON object"))?;
        let fields = Fields::of(map);
        let family = family(&fields)?;
        refuse_unsupported(&fields)?;
        let attention_bias = fields.is_set("attention_bias")?;
        let query_heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        let context = fields.optional_size("max_position_embeddings")?.unwrap_or(family.default_context());
        let shape = Self {
            family,
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: query_heads,
            num_key_value_heads: key_heads(&fields, family, query_heads)?,
            head_dim: fields
                .optional_size("head_dim")?
                .unwrap_or(family.default_head_dim(hidden_size, query_heads)),
            max_position_embeddings: context,
            rope_theta: rope_json::theta(&fields)?,
            rope_scaling: rope_json::read(&fields, context)?,
            rms_norm_eps: fields.positive_or("rms_norm_eps", DEFAULT_NORM_EPSILON)?,
            tie_word_embeddings: fields.is_set("tie_word_embeddings")?,
            attention_bias,
            mlp_bias: fields.is_set("mlp_bias")?,
        };
        if has_windows(&fields, &shape)? {
            return Err(CheckpointError::config("sliding window attention is not supported"));
        }
        check_heads(&shape)?;
        Ok(shape.without_ignored_keys())
    }

    /// The same shape, with the keys that its family ignores set to false, so that equal models have equal shapes.
    fn without_ignored_keys(self) -> Self {
        Self { attention_bias: self.output_bias(), mlp_bias: self.feed_forward_bias(), ..self }
    }
}

fn family(fields: &Fields<'_>) -> Result<Family, CheckpointError> {
    let model_type = fields.text("model_type")?;
    Family::of_model_type(model_type).ok_or_else(|| {
        let known = Family::ALL.map(Family::model_type).join(", ");
        CheckpointError::config(format!("model_type \"{model_type}\" is not one of {known}"))
    })
}

/// Number of key heads. In all families, null stands for the number of query heads.
fn key_heads(fields: &Fields<'_>, family: Family, query_heads: usize) -> Result<usize, CheckpointError> {
    const KEY: &str = "num_key_value_heads";
    let default = if fields.is_null(KEY) { query_heads } else { family.default_key_heads(query_heads) };
    Ok(fields.optional_size(KEY)?.unwrap_or(default))
}

fn refuse_unsupported(fields: &Fields<'_>) -> Result<(), CheckpointError> {
    let act = fields.optional_text("hidden_act")?;
    if let Some(act) = act.filter(|act| !SILU.contains(act)) {
        return Err(CheckpointError::config(format!("hidden_act \"{act}\" is not supported, only silu")));
    }
    if fields.given("quantization_config").is_some() {
        return Err(CheckpointError::config(
            "quantized weights are not supported; use the model in its original precision",
        ));
    }
    Ok(())
}

/// True if a layer attends to a window of the last tokens only.
fn has_windows(fields: &Fields<'_>, shape: &DecoderConfig) -> Result<bool, CheckpointError> {
    if let Some(layers) = fields.given("layer_types").and_then(Value::as_array) {
        return Ok(layers.iter().any(|layer| layer != "full_attention"));
    }
    if shape.family.window() == Window::Never {
        return Ok(false);
    }
    // An absent `sliding_window` has a default, null means none.
    let is_used = fields.is_set("use_sliding_window")? && !fields.is_null("sliding_window");
    let first = fields.optional_number("max_window_layers")?.unwrap_or(DEFAULT_WINDOW_LAYERS);
    Ok(is_used && first < shape.num_hidden_layers as f64)
}

fn check_heads(shape: &DecoderConfig) -> Result<(), CheckpointError> {
    if !shape.num_attention_heads.is_multiple_of(shape.num_key_value_heads) {
        return Err(CheckpointError::config("num_key_value_heads does not divide num_attention_heads"));
    }
    if shape.head_dim == 0 || !shape.head_dim.is_multiple_of(2) {
        return Err(CheckpointError::config("head_dim is 0 or odd, which rotary embedding cannot turn"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    #[test]
    fn every_family_survives_its_json() {
        let llama = DecoderConfig::preset(Preset::Tiny, 99);
        let qwen2 = DecoderConfig { family: Family::Qwen2, tie_word_embeddings: false, ..llama.clone() };
        let qwen3 =
            DecoderConfig { family: Family::Qwen3, num_key_value_heads: 2, rope_theta: 1e6, ..llama.clone() };
        let biased = DecoderConfig { attention_bias: true, mlp_bias: true, ..llama.clone() };
        let biased_qwen3 = DecoderConfig { attention_bias: true, ..qwen3.clone() };
        for config in [llama, qwen2, qwen3, biased, biased_qwen3] {
            let json = config.to_hugging_face(7, Precision::F32);
            assert_eq!(json["model_type"], config.family.model_type());
            assert_eq!(json["attention_bias"], config.attention_bias);
            assert_eq!(DecoderConfig::from_hugging_face(&json).expect("reads back"), config);
        }
    }

    /// Qwen2 has the keys, too, but its class in transformers reads neither.
    #[test]
    fn keys_that_a_family_ignores_change_nothing() {
        let plain = DecoderConfig { family: Family::Qwen2, ..DecoderConfig::preset(Preset::Tiny, 99) };
        let mut config = plain.to_hugging_face(7, Precision::F32);
        config["attention_bias"] = json!(true);
        config["mlp_bias"] = json!(true);
        assert_eq!(DecoderConfig::from_hugging_face(&config).expect("reads"), plain);
    }

    /// As the configuration classes of transformers 5.23 do.
    #[test]
    fn absent_key_heads_have_a_default() {
        for (family, absent) in [("llama", Some(4)), ("qwen2", None), ("qwen3", None)] {
            let mut config = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
            config["model_type"] = json!(family);
            config["num_key_value_heads"] = Value::Null;
            let read = |config: &Value| {
                DecoderConfig::from_hugging_face(config).map(|shape| shape.num_key_value_heads)
            };
            assert_eq!(read(&config).ok(), Some(4), "{family}");
            config.as_object_mut().expect("an object").remove("num_key_value_heads");
            // The default of 32 does not divide the 4 query heads of this model.
            assert_eq!(read(&config).ok(), absent, "{family}");
        }
    }

    /// As the configuration classes of transformers 5.24 do, for a model of 4 layers.
    #[test]
    fn layers_without_a_window_are_no_reason_to_refuse() {
        let full = json!(vec!["full_attention"; 4]);
        let mixed = json!(["full_attention", "full_attention", "full_attention", "sliding_attention"]);
        for (family, keys, loads) in [
            ("qwen2", json!({"use_sliding_window": true}), true),
            ("qwen2", json!({"use_sliding_window": true, "max_window_layers": 4}), true),
            ("qwen2", json!({"use_sliding_window": true, "max_window_layers": 3}), false),
            ("qwen3", json!({"use_sliding_window": true, "max_window_layers": 0}), false),
            ("qwen3", json!({"use_sliding_window": false, "max_window_layers": 0}), true),
            (
                "qwen3",
                json!({"use_sliding_window": true, "max_window_layers": 0, "sliding_window": null}),
                true,
            ),
            ("qwen3", json!({"use_sliding_window": true, "max_window_layers": 0, "layer_types": full}), true),
            ("qwen3", json!({"layer_types": mixed}), false),
            ("llama", json!({"layer_types": mixed}), false),
            ("llama", json!({"use_sliding_window": true, "max_window_layers": 0}), true),
        ] {
            let mut config = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
            config["model_type"] = json!(family);
            for (key, value) in keys.as_object().expect("an object") {
                config[key] = value.clone();
            }
            let refused = DecoderConfig::from_hugging_face(&config).err().map(|error| error.to_string());
            let says = "config.json: sliding window attention is not supported";
            assert_eq!(refused.as_deref(), (!loads).then_some(says), "{family}: {keys}");
        }
    }

    #[test]
    fn other_names_and_absent_keys_load_as_in_transformers() {
        for (family, context) in [("llama", 2048), ("qwen2", 32_768), ("qwen3", 32_768)] {
            let mut config = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
            config["model_type"] = json!(family);
            config["hidden_act"] = json!("swish");
            config.as_object_mut().expect("an object").remove("max_position_embeddings");
            let read = DecoderConfig::from_hugging_face(&config).expect("reads");
            assert_eq!(read.max_position_embeddings, context, "{family}");
        }
    }

    #[test]
    fn unsupported_features_are_refused_by_name() {
        let good = DecoderConfig::preset(Preset::Tiny, 99).to_hugging_face(7, Precision::F32);
        for (key, value, says) in [
            ("model_type", json!("gpt2"), "model_type \"gpt2\" is not one of llama, qwen2, qwen3"),
            ("hidden_act", json!("gelu"), "hidden_act \"gelu\" is not supported, only silu"),
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
            // As version 4 writes it: without `rope_parameters`, the `rope_theta` at the top is read.
            config.as_object_mut().expect("an object").remove("rope_parameters");
            config[key] = value;
            let error = DecoderConfig::from_hugging_face(&config).expect_err(key);
            assert_eq!(error.to_string(), format!("config.json: {says}"));
        }
    }
}
