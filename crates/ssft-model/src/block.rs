//! One layer of the decoder.

use crate::attention::{Attention, Memory};
use crate::cache::Pass;
use crate::{config::DecoderConfig, feed_forward::FeedForward, initializer::Initializer, norm::RmsNorm};
use burn::module::Module;
use burn::tensor::{Device, Tensor};

/// `x + attention(norm(x))`, then `x + feed_forward(norm(x))`.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the fields are Hugging Face's weight names")]
pub struct Block {
    pub self_attn: Attention,
    pub mlp: FeedForward,
    pub input_layernorm: RmsNorm,
    pub post_attention_layernorm: RmsNorm,
}

impl Block {
    /// A layer with its first weights.
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

    /// # Shapes
    /// `x [tokens, width]` and `angles [tokens, head_dim]` for the new tokens of `pass`; returns `[tokens, width]`.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        angles: &Tensor<2>,
        pass: &Pass,
        memory: Memory<'_>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone());
        let x = self.self_attn.onto(normed, x, angles, pass, memory);
        let normed = self.post_attention_layernorm.forward(x.clone());
        self.mlp.onto(normed, x)
    }
}
