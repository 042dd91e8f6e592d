//! One layer of the decoder.

use crate::attention::Attention;
use crate::cache::{CacheAccess, Pass};
use crate::config::DecoderConfig;
use crate::feed_forward::FeedForward;
use crate::initializer::Initializer;
use crate::norm::RmsNorm;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// `h = x + attention(norm(x))`, then `h + feed_forward(norm(h))`.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
pub struct Block {
    pub self_attn: Attention,
    pub mlp: FeedForward,
    pub input_layernorm: RmsNorm,
    pub post_attention_layernorm: RmsNorm,
}

impl Block {
    /// A layer with initial weights.
    pub fn init(config: &DecoderConfig, numbers: &mut Initializer, device: &Device) -> Self {
        let norm =
            |numbers: &Initializer| RmsNorm::init(config.hidden_size, config.rms_norm_eps, numbers, device);
        Self {
            self_attn: Attention::init(config, numbers, device),
            mlp: FeedForward::init(config, numbers, device),
            input_layernorm: norm(numbers),
            post_attention_layernorm: norm(numbers),
        }
    }

    /// The same layer with its matrices column by column.
    pub(crate) fn column_major(self) -> Self {
        Self {
            self_attn: self.self_attn.column_major(),
            mlp: self.mlp.column_major(),
            input_layernorm: self.input_layernorm,
            post_attention_layernorm: self.post_attention_layernorm,
        }
    }

    /// # Shapes
    /// `x [tokens, width]` and `angles [tokens, head_dim]` for the new tokens of `pass`; returns `[tokens, width]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        angles: &Tensor<2>,
        pass: &Pass,
        cache: CacheAccess<'_>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.forward_onto(normed, x, angles, pass, cache);
        let normed = self.post_attention_layernorm.forward(x.clone());
        self.mlp.forward_onto(normed, x)
    }
}
