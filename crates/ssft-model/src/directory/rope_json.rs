//! Settings of the rotary embedding in `config.json`: `rope_theta`, `rope_scaling` and `rope_parameters`.
//!
//! The formulas are in [`crate::rope_scaling`].

use super::json_fields::Fields;
use crate::config::DEFAULT_ROPE_THETA;
use crate::error::CheckpointError;
use crate::rope_scaling::{Llama3, RopeScaling, Yarn, yarn_magnitude};
use serde_json::{Value, json};

/// Defaults of the yarn method in transformers, in turns over the original context.
const DEFAULT_BETA_FAST: f64 = 32.0;
const DEFAULT_BETA_SLOW: f64 = 1.0;

/// Reads the scaling method from the `config.json` of a model with rows of at most `context` tokens; without settings it is
/// [`RopeScaling::Default`].
///
/// # Errors
/// [`CheckpointError::Config`] if the method is not supported, or a number is missing or out of range.
pub(super) fn read(config: &Fields<'_>, context: usize) -> Result<RopeScaling, CheckpointError> {
    refuse_partial(config, "")?;
    let Some((key, rope)) = settings(config)? else { return Ok(RopeScaling::Default) };
    refuse_partial(&rope, &format!("{key}: "))?;
    let kind = rope.optional_text("rope_type")?.or(rope.optional_text("type")?).unwrap_or("default");
    Ok(match kind {
        "default" => RopeScaling::Default,
        "linear" => RopeScaling::Linear { factor: rope.positive("factor")? },
        "dynamic" => RopeScaling::Dynamic { factor: rope.positive("factor")? },
        "yarn" => RopeScaling::Yarn(Yarn {
            factor: rope.positive("factor")?,
            attention_factor: yarn_attention_factor(&rope)?,
            beta_fast: rope.positive_or("beta_fast", DEFAULT_BETA_FAST)?,
            beta_slow: rope.positive_or("beta_slow", DEFAULT_BETA_SLOW)?,
            original: original_context(&rope, config)?.unwrap_or(context),
            truncate: rope.optional_flag("truncate")?.unwrap_or(true),
        }),
        "llama3" => RopeScaling::Llama3(Llama3 {
            factor: rope.positive("factor")?,
            low_freq_factor: rope.positive("low_freq_factor")?,
            high_freq_factor: rope.positive("high_freq_factor")?,
            original: original_context(&rope, config)?.unwrap_or(context),
        }),
        other => {
            return Err(CheckpointError::config(format!(
                "{key} of type \"{other}\" is not supported, only default, linear, dynamic, yarn and llama3"
            )));
        }
    })
}

/// The base of the frequencies. Version 5 of transformers nests it with the other settings, version 4 has it at the top.
pub(super) fn theta(config: &Fields<'_>) -> Result<f64, CheckpointError> {
    match settings(config)?.filter(|(_, rope)| rope.given("rope_theta").is_some()) {
        Some((_, nested)) => nested.positive("rope_theta"),
        None => config.positive_or("rope_theta", DEFAULT_ROPE_THETA),
    }
}

/// The value of `rope_parameters` for a method and the base of the frequencies.
pub(super) fn write(scaling: RopeScaling, theta: f64) -> Value {
    let mut rope = match scaling {
        RopeScaling::Default => json!({"rope_type": "default"}),
        RopeScaling::Linear { factor } => json!({"rope_type": "linear", "factor": factor}),
        RopeScaling::Dynamic { factor } => json!({"rope_type": "dynamic", "factor": factor}),
        RopeScaling::Yarn(yarn) => json!({
            "rope_type": "yarn", "factor": yarn.factor, "attention_factor": yarn.attention_factor,
            "beta_fast": yarn.beta_fast, "beta_slow": yarn.beta_slow,
            "original_max_position_embeddings": yarn.original, "truncate": yarn.truncate,
        }),
        RopeScaling::Llama3(llama) => json!({
            "rope_type": "llama3", "factor": llama.factor, "low_freq_factor": llama.low_freq_factor,
            "high_freq_factor": llama.high_freq_factor, "original_max_position_embeddings": llama.original,
        }),
    };
    rope["rope_theta"] = json!(theta);
    rope
}

/// The settings with their key: `rope_scaling` (transformers 4), else `rope_parameters` (5). Version 5 prefers the older
/// key, too, if both are there.
fn settings<'a>(config: &Fields<'a>) -> Result<Option<(&'static str, Fields<'a>)>, CheckpointError> {
    for key in ["rope_scaling", "rope_parameters"] {
        if let Some(rope) = config.object(key)?.filter(|rope| !rope.is_empty()) {
            return Ok(Some((key, rope)));
        }
    }
    Ok(None)
}

/// Refuses models that rotate only a part of each head.
fn refuse_partial(fields: &Fields<'_>, place: &str) -> Result<(), CheckpointError> {
    match fields.positive_or("partial_rotary_factor", 1.0)? {
        1.0 => Ok(()),
        _ => Err(CheckpointError::config(format!("{place}a partial_rotary_factor is not supported"))),
    }
}

/// Context of the model before scaling, in tokens, if it is given.
fn original_context(rope: &Fields<'_>, config: &Fields<'_>) -> Result<Option<usize>, CheckpointError> {
    const KEY: &str = "original_max_position_embeddings";
    match rope.optional_size(KEY)? {
        None => config.optional_size(KEY),
        given => Ok(given),
    }
}

/// The given `attention_factor`, or the one that follows from `mscale` and `mscale_all_dim`, which later models have.
fn yarn_attention_factor(rope: &Fields<'_>) -> Result<Option<f64>, CheckpointError> {
    if let Some(given) = rope.optional_number("attention_factor")? {
        return Ok(Some(given));
    }
    let scales = (rope.optional_number("mscale")?, rope.optional_number("mscale_all_dim")?);
    let (Some(over), Some(under)) = scales else { return Ok(None) };
    if over == 0.0 || under == 0.0 {
        return Ok(None);
    }
    let factor = rope.positive("factor")?;
    Ok(Some(yarn_magnitude(factor, over) / yarn_magnitude(factor, under)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DecoderConfig, Preset};
    use crate::precision::Precision;

    fn read_rope(rope: Value) -> Result<RopeScaling, String> {
        let config = json!({"rope_parameters": rope});
        let map = config.as_object().expect("an object");
        read(&Fields::of(map), 256).map_err(|error| error.to_string())
    }

    /// Computed with `ROPE_INIT_FUNCTIONS` of transformers 5.23: head width 16, theta 10000, 256 positions. It computes in f32,
    /// and the ramp of yarn subtracts numbers of similar size, hence the tolerance.
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
            let scaling = read_rope(rope.clone()).expect("is read");
            for (ours, theirs) in scaling.frequencies(10_000.0, 16).iter().zip(frequencies) {
                assert!((ours / theirs - 1.0).abs() < 3e-6, "{rope}: {ours} {theirs}");
            }
            assert!((scaling.attention_factor() - size).abs() < 1e-12, "{rope}");
            assert_eq!(read_rope(write(scaling, 10_000.0)).expect("reads back"), scaling);
        }
        assert_eq!(read_rope(Value::Null), Ok(RopeScaling::Default));
    }

    /// As `AutoConfig` of transformers 5.23 does.
    #[test]
    fn the_older_of_two_keys_wins() {
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
    fn invalid_numbers_are_named() {
        for (rope, says) in [
            (json!({"rope_type": "linear"}), "\"factor\" is missing"),
            (json!({"rope_type": "yarn", "factor": -1}), "\"factor\" is -1, not above 0"),
            (
                json!({"rope_type": "default", "partial_rotary_factor": 0.5}),
                "rope_parameters: a partial_rotary_factor is not supported",
            ),
        ] {
            assert_eq!(read_rope(rope), Err(format!("config.json: {says}")));
        }
    }
}
